// scm-simulate-rates: prints the error rates of the statistics and of the abort rules.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "CLI/CLI.hpp"
#include "common/json.h"
#include "statistics/detectable_effect.h"
#include "tests/simulation/interval_question.h"
#include "tests/simulation/rates.h"

namespace {

using namespace scm::simulation;  // NOLINT: one small program

constexpr int kClusters[] = {10, 25, 70, 250};
constexpr double kSpreads[] = {0, 0.012, 0.024, 0.037};
constexpr double kNoises[] = {0.002, 0.005, 0.01};

AnswerDesign Answer(int items, int clusters, double spread) {
  AnswerDesign design;
  design.cluster_items = ClusterSizes(items, clusters);
  design.seed_spread = spread;
  return design;
}

void PrintCoverage(const Repeat& repeat, int resamples) {
  std::printf("\nCoverage of 95 %% intervals, 5 seeds\n");
  std::printf("%6s %8s %7s %8s %10s %8s %9s\n", "items", "clusters", "spread", "two-way",
              "bootstrap", "pooled", "unjudged");
  const auto row = [&](int items, int clusters, double spread) {
    const CoverageRates rates = Coverage(Answer(items, clusters, spread), repeat, resamples);
    std::printf("%6d %8d %7.3f %8.3f %10.3f %8.3f %9.3f\n", items, clusters, spread, rates.two_way,
                rates.bootstrap, rates.pooled, rates.unjudged);
  };
  for (const int clusters : kClusters) {
    for (const double spread : kSpreads) row(1000, clusters, spread);
  }
  for (const double spread : kSpreads) row(200, 10, spread);
}

void PrintTypeOne(const Repeat& repeat) {
  std::printf("\nShare of p <= .05 without an effect\n");
  std::printf("%8s %7s %8s %10s %8s\n", "clusters", "spread", "two-way", "sign-flip", "McNemar");
  for (const int clusters : kClusters) {
    for (const double spread : kSpreads) {
      const TypeOneRates rates = TypeOne(Answer(1000, clusters, spread), repeat);
      std::printf("%8d %7.3f %8.3f %10.3f %8.3f\n", clusters, spread, rates.two_way,
                  rates.sign_flip, rates.mcnemar);
    }
  }
}

void PrintPower(const Repeat& repeat) {
  std::printf("\nPower at the smallest detectable effect (asked: .8)\n");
  std::printf("%6s %8s %6s %8s %7s\n", "items", "clusters", "seeds", "effect", "power");
  const struct { int items, clusters; } sizes[] = {{400, 40}, {1000, 70}, {1040, 212}, {1000, 250}};
  for (const auto& [items, clusters] : sizes) {
    for (const int seeds : {3, 5, 10}) {
      DifferenceDesign design;
      design.cluster_items = ClusterSizes(items, clusters);
      design.seeds = seeds;
      const double effect =
          scm::statistics::SmallestDetectableEffect({design.cluster_items, seeds}).effect;
      std::printf("%6d %8d %6d %8.4f %7.3f\n", items, clusters, seeds, effect,
                  PowerAtDetectableEffect(design, repeat));
    }
  }
  std::printf("\nPassing \"accuracy above .6\" at the accuracy that should pass .8 of the time\n");
  std::printf("%8s %9s %12s %12s\n", "clusters", "accuracy", "errors .7", "errors alike");
  for (const int clusters : kClusters) {
    AnswerDesign design = Answer(1000, clusters, 0.015);
    design.accuracy = scm::statistics::AccuracyNeeded(0.6, {design.cluster_items, design.seeds});
    double passed[2];
    for (const int alike : {0, 1}) {
      design.shared = alike ? 1 : 0.7;
      passed[alike] = PassRate(design, 0.6, repeat);
    }
    std::printf("%8d %9.3f %12.3f %12.3f\n", clusters, design.accuracy, passed[0], passed[1]);
  }
}

void PrintNoConvergence(const Repeat& repeat) {
  std::printf("\nno_convergence: percent of runs aborted at step 1000 / by step 2000\n");
  std::printf("%-14s %5s", "curve", "every");
  for (const double noise : kNoises) std::printf("   noise %.1f %%", 100 * noise);
  std::printf("\n");
  for (const int64_t every : {50, 100}) {
    for (const Curve curve : kAllCurves) {
      std::printf("%-14s %5d", CurveName(curve), static_cast<int>(every));
      for (const double noise : kNoises) {
        const AbortRates rates = NoConvergence(curve, noise, every, repeat);
        std::printf("  %5.1f / %5.1f", 100 * rates.at_first_look, 100 * rates.by_end);
      }
      std::printf("\n");
    }
  }
}

void PrintExplosions(const Repeat& repeat) {
  std::printf("\nno_convergence: losses that are multiplied at every validation, likewise\n");
  std::printf("%6s %6s", "factor", "from");
  for (const double noise : kNoises) std::printf("   noise %.1f %%", 100 * noise);
  std::printf("\n");
  for (const int64_t from : {0, 500}) {
    for (const double factor : {1.02, 1.2, 1.5, 2.0, 10.0}) {
      std::printf("%6.2f %6d", factor, static_cast<int>(from));
      for (const double noise : kNoises) {
        const AbortRates rates = NoConvergence({factor, from}, noise, 50, repeat);
        std::printf("  %5.1f / %5.1f", 100 * rates.at_first_look, 100 * rates.by_end);
      }
      std::printf("\n");
    }
  }
}

void PrintBelowRandom(const Repeat& repeat) {
  std::printf("\nbelow_random: share of runs aborted, after step 500, false_abort .001\n");
  std::printf("%9s %7s %6s %6s %10s %12s %14s\n", "accuracy", "chance", "items", "deff",
              "simulated", "computed", "fixed answers");
  const AccuracyDesign designs[] = {{.accuracy = .25, .chance = .25, .items = 100},
                                    {.accuracy = .25, .chance = .25, .items = 400},
                                    {.accuracy = .5, .chance = .5, .items = 200},
                                    {.accuracy = .10, .chance = .25, .items = 100},
                                    {.accuracy = .15, .chance = .25, .items = 400},
                                    {.accuracy = .20, .chance = .25, .items = 1000}};
  for (const AccuracyDesign& design : designs) {
    std::printf("%9.2f %7.2f %6d %6.2f %10.6f %12.3g %14.3g\n", design.accuracy, design.chance,
                static_cast<int>(design.items), design.deff, BelowRandom(design, repeat),
                ExactBelowRandom(design), ExactBelowRandomOfFixedItems(design));
  }
}

int AnswerFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const absl::StatusOr<scm::Json> question = scm::ParseJson(text.str(), path);
  if (!question.ok()) {
    std::cerr << question.status().message() << "\n";
    return 2;
  }
  const absl::StatusOr<scm::Json> answer = AnswerQuestion(*question);
  if (!answer.ok()) {
    std::cerr << path << ": " << answer.status().message() << "\n";
    return 2;
  }
  std::cout << answer->dump() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates the error rates of the statistics and of the abort rules.");
  Repeat repeat;
  std::string only, question;
  int resamples = 0;
  app.add_option("--repetitions", repeat.repetitions, "repetitions of every cell")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", repeat.seed, "root seed of the random streams");
  app.add_option("--resamples", resamples, "bootstrap resamples in the coverage table; 0: none");
  app.add_option("--only", only, "one table")
      ->check(CLI::IsMember({"coverage", "type-one", "power", "no-convergence", "below-random"}));
  app.add_option("--interval", question, "answer a question in a JSON file instead");
  CLI11_PARSE(app, argc, argv);
  if (!question.empty()) return AnswerFile(question);
  std::printf("seed %llu, %d repetitions a cell\n", static_cast<unsigned long long>(repeat.seed),
              repeat.repetitions);
  if (only.empty() || only == "coverage") PrintCoverage(repeat, resamples);
  if (only.empty() || only == "type-one") PrintTypeOne(repeat);
  if (only.empty() || only == "power") PrintPower(repeat);
  if (only.empty() || only == "no-convergence") {
    PrintNoConvergence(repeat);
    PrintExplosions(repeat);
  }
  if (only.empty() || only == "below-random") PrintBelowRandom(repeat);
  return 0;
}
