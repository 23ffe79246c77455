"""An experiment file around the built-in trainer and a model so tiny that a step takes milliseconds."""
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "samples/corpus"


def tiny_experiment(name, model, steps, save_steps, seeds=(11,), learning_rate="1.0e-4", accumulation=1, retries=5,
                    trainer="[scm-trainer]", replicate="", extra=""):
    """`replicate` is more of that section (", packed: true"), `extra` more sections."""
    return f"""
name: {name}
stages: [replicate]
model: {{base: {model}}}
data: {{corpus: {CORPUS}, max_length: 64, packing: false,
  split: {{train: 0.6, validation: 0.1, test: 0.3, by: document, seed: 1}}}}
lora: {{r: 4, alpha: 8, dropout: 0.1, target_modules: [q_proj, down_proj]}}
trainer: {{command: {trainer},
  parameters: {{train_tasks: [jurisdiction_classification], max_validation_items: 4}}}}
training: {{learning_rate: {learning_rate}, batch_size: 2, gradient_accumulation: {accumulation}, max_steps: {steps},
  warmup_steps: 2, save_steps: {save_steps}, eval_steps: {save_steps}, early_stopping: none, precision: fp32}}
replicate: {{seeds: [{", ".join(map(str, seeds))}]{replicate}}}
abort: {{no_convergence: none, below_random: none, non_finite: true, stalled: none}}
retries: {{max: {retries}}}
{extra}
"""
