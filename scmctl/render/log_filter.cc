#include "scmctl/render/log_filter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/utf8.h"

namespace scm::ctl {
namespace {

// A sequence that is longer than this is none: the text goes on.
constexpr size_t kLongestSequence = 64;
constexpr size_t kLongestString = 4096;

bool IsColour(absl::string_view parameters) {
  return std::all_of(parameters.begin(), parameters.end(), [](unsigned char c) {
    return absl::ascii_isdigit(c) || c == ';' || c == ':';
  });
}

// Whether the text ends within a character, and where that begins; else its size.
size_t EndOfWholeCharacters(absl::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

// The C1 controls (U+0080 … U+009F) are sequences of their own to some terminals.
std::string WithoutC1(absl::string_view text) {
  const std::string valid = ReplaceInvalidUtf8(text);
  std::string out;
  out.reserve(valid.size());
  for (size_t at = 0; at < valid.size();) {
    const char32_t c = NextCodePoint(valid, at);
    AppendCodePoint(c >= 0x80 && c <= 0x9f ? 0xfffd : c, out);
  }
  return out;
}

}  // namespace

void LogFilter::Take(char c, std::string& text) {
  switch (state_) {
    case State::kText:
      if (c == '\x1b') {
        state_ = State::kEscape;
      } else if (c == '\n' || c == '\t' || c == '\r' ||
                 (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f')) {
        text += c;  // a carriage return only begins its own line anew, as progress bars do
      }
      return;
    case State::kEscape:
      if (c == '\x1b') return;
      sequence_.clear();
      skipped_ = 0;
      state_ = c == '['                                                   ? State::kControl
               : c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X' ? State::kString
               : c >= 0x20 && c <= 0x2f ? State::kEscape  // an intermediate byte: one more follows
                                        : State::kText;
      return;
    case State::kControl:
      if (c < 0x20 || sequence_.size() > kLongestSequence) {
        state_ = State::kText;
        return Take(c, text);
      }
      if (c < 0x40) {
        sequence_ += c;
        return;
      }
      state_ = State::kText;
      if (c == 'm' && colour_ && IsColour(sequence_)) text += "\x1b[" + sequence_ + "m";
      return;
    case State::kString:
    case State::kStringEscape:
      if (c == '\x07' || (state_ == State::kStringEscape && c == '\\')) {
        state_ = State::kText;
      } else if (c == '\n' || ++skipped_ > kLongestString) {
        state_ = State::kText;  // never ended: what follows is text again
        return Take(c, text);
      } else {
        state_ = c == '\x1b' ? State::kStringEscape : State::kString;
      }
      return;
  }
}

std::string LogFilter::Feed(absl::string_view bytes) {
  std::string text = std::move(partial_);
  partial_.clear();
  for (const char c : bytes) Take(c, text);
  const size_t whole = EndOfWholeCharacters(text);
  partial_ = text.substr(whole);
  text.resize(whole);
  return WithoutC1(text);
}

std::string LogFilter::Finish() {
  const std::string rest = std::move(partial_);
  partial_.clear();
  return WithoutC1(rest);
}

}  // namespace scm::ctl
