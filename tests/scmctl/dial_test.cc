// Which coordinator is dialled, and with what: flags, environment, local home.
#include "scmctl/dial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/files.h"
#include "tests/fakes/temp_dir.h"

namespace scm::ctl {
namespace {

using testing::HasSubstr;

class DialTest : public testing::Test {
 protected:
  DialTest() {
    Set("SCM_HOME", home_.path());
    for (const char* name : {"SCM_COORDINATOR", "SCM_TOKEN_FILE", "SCM_TLS_CA"}) unsetenv(name);
    Write("tokens/user", "token-of-home\nmore\n");
    Write("other-token", "other-token\n");
    Write("flag-token", "flag-token\n");
    Write("ca.pem", "authority");
    Write("coordinator/address.json", "{\"coordinator\": \"127.0.0.1:4711\"}");
  }
  ~DialTest() override {
    for (const char* name : {"SCM_HOME", "SCM_COORDINATOR", "SCM_TOKEN_FILE", "SCM_TLS_CA"}) {
      unsetenv(name);
    }
  }
  static void Set(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }
  std::string Path(const std::string& name) const { return home_.path() + "/" + name; }
  void Write(const std::string& name, const std::string& text) {
    const std::string path = Path(name);
    ASSERT_TRUE(MakeDirectories(path.substr(0, path.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
  }
  // "ADDRESS token TOKEN, plain" or "…, tls"; else the message.
  static std::string Resolved(const ClientOptions& options) {
    const absl::StatusOr<Dial> dial = ResolveDial(options);
    if (!dial.ok()) return std::string(dial.status().message());
    return dial->address + " token " + dial->token + (dial->ca_pem.empty() ? ", plain" : ", tls");
  }
  static ClientOptions To(const std::string& address) {
    ClientOptions options;
    options.coordinator = address;
    return options;
  }

  const fake::TempDir home_;
};

TEST_F(DialTest, TheLocalOneIsTheDefaultAndNothingInTheEnvironmentTouchesIt) {
  EXPECT_EQ(Resolved({}), "127.0.0.1:4711 token token-of-home, plain");
  Set("SCM_TLS_CA", Path("no-such-file"));
  Set("SCM_TOKEN_FILE", Path("no-such-file"));
  EXPECT_EQ(Resolved({}), "127.0.0.1:4711 token token-of-home, plain");
  // What `local down` and `local status` mean, even where another one is named.
  Set("SCM_COORDINATOR", "192.0.2.1:7070");
  ClientOptions local;
  local.local = true;
  EXPECT_EQ(Resolved(local), "127.0.0.1:4711 token token-of-home, plain");
}

TEST_F(DialTest, TheEnvironmentNamesAnother) {
  Set("SCM_COORDINATOR", "coordinator.example:7070");
  Set("SCM_TOKEN_FILE", Path("other-token"));
  EXPECT_THAT(Resolved({}), HasSubstr("coordinator.example:7070 is another machine: pass --tls-ca "
                                      "FILE or set SCM_TLS_CA"));
  Set("SCM_TLS_CA", Path("ca.pem"));
  EXPECT_EQ(Resolved({}), "coordinator.example:7070 token other-token, tls");
  EXPECT_EQ(Resolved(To("localhost:7070")), "localhost:7070 token other-token, tls");
  ClientOptions flags = To("192.0.2.1:7070");
  flags.token_file = Path("flag-token");
  EXPECT_EQ(Resolved(flags), "192.0.2.1:7070 token flag-token, tls");
}

TEST_F(DialTest, AFileThatIsNotThereIsNamedWithWhereItWasSaid) {
  Set("SCM_TLS_CA", Path("no-such-file"));
  EXPECT_THAT(Resolved(To("192.0.2.1:7070")), HasSubstr("no-such-file"));
  EXPECT_THAT(Resolved(To("192.0.2.1:7070")), HasSubstr("(--tls-ca or SCM_TLS_CA)"));
  unsetenv("SCM_TLS_CA");
  Set("SCM_TOKEN_FILE", Path("no-such-token"));
  EXPECT_THAT(Resolved(To("127.0.0.1:7070")), HasSubstr("(--token-file or SCM_TOKEN_FILE)"));
}

TEST_F(DialTest, OnlyLoopbackIsDialledInPlainText) {
  for (const char* near : {"127.0.0.1:1", "127.8.9.10:1", "localhost:1", "[::1]:1"}) {
    EXPECT_THAT(Resolved(To(near)), HasSubstr(", plain")) << near;
  }
  for (const char* far : {"10.0.0.1:1", "127.evil.example:1", "[::2]:1", "dns:///127.0.0.1:1",
                          "localhost.example:1", "0.0.0.0:1", "192.0.2.1:1,127.0.0.1:1"}) {
    EXPECT_THAT(Resolved(To(far)), HasSubstr("is another machine")) << far;
  }
}

}  // namespace
}  // namespace scm::ctl
