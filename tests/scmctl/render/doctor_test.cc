#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

Json Check(const char* name, const char* state, const char* text, const Json& advice) {
  return {{"check", name}, {"state", state}, {"text", text}, {"advice", advice}};
}

TEST(RenderDoctor, OneLineACheckAndWhatToDo) {
  Terminal terminal;
  const Json answer = {
      {"healthy", false},
      {"checks",
       {Check("store", "ok", "looked through", nullptr),
        Check("workers", "problem", "none has registered: nothing can run", "start one")}}};
  EXPECT_EQ(RenderDoctor(answer, terminal),
            "store        ok       looked through\n"
            "workers      problem  none has registered: nothing can run\n"
            "                      → start one\n"
            "\n"
            "Something is wrong: see the problems above.\n");
}

TEST(RenderDoctor, FitsTheTerminalAndColoursOnlyTheState) {
  Terminal terminal;
  terminal.interactive = terminal.colour = true;
  terminal.width = 50;
  const Json answer = {
      {"healthy", true},
      {"checks", {Check("disk", "warning", "a sentence that is longer than the line", nullptr)}}};
  EXPECT_EQ(RenderDoctor(answer, terminal),
            "disk         \x1b[33mwarning  \x1b[0ma sentence that is longer\n"
            "                      than the line\n"
            "\n"
            "Nothing is wrong.\n");
}

}  // namespace
}  // namespace scm::ctl
