// The answers of proto/scm/v1/answers.proto as the JSON of docs/json.md, for scmctl and the HTTP
// server alike. Protobuf's own mapping prints 64-bit integers as texts, leaves out what is null and
// writes doubles its own way, so this is one of ours, by reflection. Pure and thread-safe.
#pragma once

#include <google/protobuf/message.h>

#include "common/json.h"
#include "scm/v1/answers.pb.h"

namespace scm::answers {

// Keys are the fields' names in order of declaration. An optional or message field without a value
// is null; maps come sorted; a non-finite number is the text that stands for it.
Json ToJson(const google::protobuf::Message& message);

// JSON of any shape as a message, and back without any loss.
v1::Value ValueOf(const Json& json);
// Of an object; anything else gives one without members.
v1::Object ObjectOf(const Json& json);

// Ill-formed UTF-8 in any text becomes U+FFFD: a reader of messages refuses what holds it.
void RepairTexts(google::protobuf::Message& message);

}  // namespace scm::answers
