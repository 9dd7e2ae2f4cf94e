#include <sstream>
#include <utility>

#include "json.h"
#include "node.h"
#include "number.h"

std::string compact(const Json &json) {
  return std::visit(Cases{[](std::nullptr_t) { return std::string("null"); },
                          [](bool value) { return std::string(value ? "true" : "false"); },
                          [](double value) { return number_text(value); },
                          [](const std::string &text) { return quoted(text); },
                          [](const Json::List &list) {
                            std::ostringstream out;
                            const char *before = "[";
                            for (const Json &item : list) out << std::exchange(before, ",") << compact(item);
                            return (list.empty() ? "[" : "") + out.str() + "]";
                          },
                          [](const Json::Object &object) {
                            std::ostringstream out;
                            const char *before = "{";
                            for (const auto &[key, value] : object)
                              out << std::exchange(before, ",") << quoted(key) << ':' << compact(value);
                            return (object.empty() ? "{" : "") + out.str() + "}";
                          }},
                    json.what);
}
