// scm-trainer as a process on a tiny model and corpus, which the tests of a suite share.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/files.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::trainer {

class TrainerProcess : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new testing::TemporaryDirectory();
    testing::WriteTinyModel(root() + "/model");
    testing::WriteTinyCorpus(root() + "/corpus");
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  static std::string root() { return directory_->path(); }
  static std::string ReportPath(const std::string& name) { return root() + "/" + name + ".jsonl"; }

  // The content of each file in `dir`.
  static std::map<std::string, std::string> Files(const std::string& dir) {
    std::map<std::string, std::string> files;
    const auto names = ListDirectory(dir);
    EXPECT_TRUE(names.ok()) << names.status();
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
      files[name] = ReadFile(dir + "/" + name).value_or("unreadable");
    }
    return files;
  }

 private:
  inline static testing::TemporaryDirectory* directory_ = nullptr;
};

}  // namespace scm::trainer
