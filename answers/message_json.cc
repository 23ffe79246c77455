#include "answers/message_json.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/utf8.h"

namespace scm::answers {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Readers of messages follow 100 levels, and a level of JSON takes three.
constexpr int kDeepest = 20;

void Fill(const Json& json, int depth, v1::Value& value);

void Fill(const Json& json, int depth, v1::Object& object) {
  for (const auto& [key, member] : json.items()) {
    v1::Member& added = *object.add_members();
    added.set_key(key);
    Fill(member, depth + 1, *added.mutable_value());
  }
}

void Fill(const Json& json, int depth, v1::Value& value) {
  if (json.is_boolean()) {
    value.set_truth(json.get<bool>());
  } else if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) {
    value.set_natural(json.get<uint64_t>());
  } else if (json.is_number_integer()) {
    value.set_integer(json.get<int64_t>());
  } else if (json.is_number()) {
    value.set_number(json.get<double>());
  } else if (json.is_string()) {
    value.set_text(json.get_ref<const std::string&>());
  } else if (json.is_structured() && depth >= kDeepest) {
    value.set_json(DumpJson(json));
  } else if (json.is_object()) {
    Fill(json, depth, *value.mutable_object());
  } else if (json.is_array()) {
    v1::Values& list = *value.mutable_list();
    for (const Json& element : json) Fill(element, depth + 1, *list.add_values());
  }
}

Json JsonOf(const v1::Object& object);

Json JsonOf(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kTruth:
      return value.truth();
    case v1::Value::kInteger:
      return value.integer();
    case v1::Value::kNatural:
      return value.natural();
    case v1::Value::kNumber:
      return value.number();
    case v1::Value::kText:
      return value.text();
    case v1::Value::kObject:
      return JsonOf(value.object());
    case v1::Value::kJson:
      return ParseJson(value.json(), "a nested value").value_or(Json());
    case v1::Value::kList: {
      Json list = Json::array();
      for (const v1::Value& element : value.list().values()) list.push_back(JsonOf(element));
      return list;
    }
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

Json JsonOf(const v1::Object& object) {
  Json json = Json::object();
  for (const v1::Member& member : object.members()) json[member.key()] = JsonOf(member.value());
  return json;
}

// One value of a field: the only one, or that of a list at `index`.
Json ValueAt(const Message& message, const FieldDescriptor* field, int index = -1) {
  const Reflection& look = *message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? look.GetBool(message, field) : look.GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? look.GetInt32(message, field) : look.GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? look.GetInt64(message, field) : look.GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return JsonNumber(one ? look.GetDouble(message, field)
                            : look.GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? look.GetString(message, field) : look.GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJson(one ? look.GetMessage(message, field)
                        : look.GetRepeatedMessage(message, field, index));
    default:
      return nullptr;  // no answer has a field of another type
  }
}

Json MapAt(const Message& message, const FieldDescriptor* field) {
  const Reflection& look = *message.GetReflection();
  std::vector<const Message*> entries;
  for (int i = 0; i < look.FieldSize(message, field); ++i) {
    entries.push_back(&look.GetRepeatedMessage(message, field, i));
  }
  const FieldDescriptor* key = field->message_type()->map_key();
  const auto key_of = [&](const Message* entry) {
    return entry->GetReflection()->GetString(*entry, key);
  };
  std::sort(entries.begin(), entries.end(),
            [&](const Message* a, const Message* b) { return key_of(a) < key_of(b); });
  Json json = Json::object();
  for (const Message* entry : entries) {
    json[key_of(entry)] = ValueAt(*entry, field->message_type()->map_value());
  }
  return json;
}

Json FieldJson(const Message& message, const FieldDescriptor* field) {
  const Reflection& look = *message.GetReflection();
  if (field->is_map()) return MapAt(message, field);
  if (field->is_repeated()) {
    Json list = Json::array();
    for (int i = 0; i < look.FieldSize(message, field); ++i) {
      list.push_back(ValueAt(message, field, i));
    }
    return list;
  }
  if (field->has_presence() && !look.HasField(message, field)) return nullptr;
  return ValueAt(message, field);
}

}  // namespace

Json ToJson(const Message& message) {
  if (const auto* value = dynamic_cast<const v1::Value*>(&message)) return JsonOf(*value);
  if (const auto* object = dynamic_cast<const v1::Object*>(&message)) return JsonOf(*object);
  Json json = Json::object();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->options().GetExtension(v1::beside)) continue;
    json[field->name()] = FieldJson(message, field);
  }
  return json;
}

v1::Value ValueOf(const Json& json) {
  v1::Value value;
  Fill(json, 0, value);
  return value;
}

v1::Object ObjectOf(const Json& json) {
  v1::Object object;
  if (json.is_object()) Fill(json, 0, object);
  return object;
}

void RepairTexts(Message& message) {
  const Reflection& look = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  look.ListFields(message, &fields);
  const auto repair = [](const std::string& text, const auto& set) {
    if (FirstInvalidUtf8(text) != text.npos) set(ReplaceInvalidUtf8(text));
  };
  for (const FieldDescriptor* field : fields) {
    // Names in maps were read from JSON, whose reader refuses or repairs them.
    if (field->is_map()) continue;
    const int count = field->is_repeated() ? look.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        RepairTexts(field->is_repeated() ? *look.MutableRepeatedMessage(&message, field, i)
                                         : *look.MutableMessage(&message, field));
      } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
        break;
      } else if (field->is_repeated()) {
        repair(look.GetRepeatedString(message, field, i), [&](std::string text) {
          look.SetRepeatedString(&message, field, i, std::move(text));
        });
      } else {
        repair(look.GetString(message, field),
               [&](std::string text) { look.SetString(&message, field, std::move(text)); });
      }
    }
  }
}

}  // namespace scm::answers
