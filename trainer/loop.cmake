# The training loop and its binary. Included by CMakeLists.txt where libtorch is available.
scm_library(scm_trainer_loop
  SRCS adamw.cc adapter_config.cc adapter_file.cc adapter_readme.cc attempt_main.cc checkpoint_io.cc
       choice_scoring.cc commands.cc data_cursor.cc early_stopping.cc examples.cc export_job.cc
       input_guard.cc job_fields.cc lr_schedule.cc merge.cc packing.cc reporter.cc spec.cc tensor_file.cc
       torch_runtime.cc train_job.cc train_loop.cc training_data.cc training_state.cc validation.cc
  PUBLIC_DEPS scm_common scm_model_files scm_corpus scm_input_warnings scm_model
  DEPS scm_torch Threads::Threads CLI11::CLI11)

scm_binary(scm-trainer SRCS main.cc DEPS scm_trainer_loop scm_common)
