#include "coordinator/rpc/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "coordinator/rpc/server.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

TEST(TokenCheck, OnlyTheTokenItselfIsAccepted) {
  const rpc::TokenCheck check(kToken);
  const std::string header = absl::StrCat("Bearer ", kToken);
  EXPECT_TRUE(check.Check(header).ok());
  // Every single wrong character, wherever it stands: no position is left out of the comparison.
  for (size_t i = 7; i < header.size(); ++i) {
    std::string wrong = header;
    wrong[i] ^= 1;
    EXPECT_TRUE(absl::IsUnauthenticated(check.Check(wrong))) << i;
  }
  for (const std::string& wrong :
       {std::string(), std::string("Bearer "), std::string(kToken), "bearer " + std::string(kToken),
        header.substr(0, header.size() - 1), header + "x", header + std::string(1, '\0'),
        "Bearer  " + std::string(kToken), header + "\n"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(check.Check(wrong))) << wrong;
  }
}

TEST(TokenCheck, ARefusalNeverRepeatsTheTokens) {
  const std::string message(rpc::TokenCheck(kToken).Check("Bearer my-wrong-guess").message());
  EXPECT_EQ(message.find(kToken), std::string::npos);
  EXPECT_EQ(message.find("my-wrong-guess"), std::string::npos);
}

TEST(ReadTokenFile, TakesTheFirstLineOfAPrivateFile) {
  const fake::TempDir dir;
  const std::string path = dir.path() + "/token";
  ASSERT_TRUE(WriteFileDurably(path, std::string(kToken) + "\nsecond line\n", 0600).ok());
  const auto token = rpc::ReadTokenFile(path);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(*token, kToken);
}

TEST(ReadTokenFile, RefusesWhatOthersMayReadAndWhatIsTooShort) {
  const fake::TempDir dir;
  const std::string path = dir.path() + "/token";
  ASSERT_TRUE(WriteFileDurably(path, kToken, 0600).ok());
  for (const mode_t mode : {0640, 0604, 0620}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_THAT(std::string(rpc::ReadTokenFile(path).status().message()), HasSubstr("chmod 600"));
  }
  ASSERT_TRUE(WriteFileDurably(path, "too short\nbut a long second line", 0600).ok());
  EXPECT_THAT(std::string(rpc::ReadTokenFile(path).status().message()), HasSubstr("16 characters"));
  EXPECT_FALSE(rpc::ReadTokenFile(dir.path() + "/absent").ok());
}

TEST(AnAddress, ARoutableAddressNeedsTlsAndBothTokens) {
  const rpc::ServerOptions whole{"0.0.0.0:0", kToken, kToken, "cert", "key"};
  for (int missing = 0; missing < 5; ++missing) {
    rpc::ServerOptions options = whole;
    if (missing == 0) options.user_token = "";
    if (missing == 1) options.worker_token = "";
    if (missing == 2) options.tls_cert = "";
    if (missing == 3) options.tls_key = "";
    if (missing == 4) {
      options = rpc::ServerOptions();
      options.listen = "[::]:0";
    }
    const absl::Status status = rpc::StartRpcServer(options, {}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << missing << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--worker-token-file")) << missing;
  }
}

}  // namespace
}  // namespace scm::rpc
