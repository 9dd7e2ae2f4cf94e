// JSON values, as many kinds as this program prints.
#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

struct Json {
  using List = std::vector<Json>;
  using Object = std::map<std::string, Json>;
  std::variant<std::nullptr_t, bool, double, std::string, List, Object> what;
};

std::string compact(const Json &json);
std::string indented(const Json &json, int depth = 0);
std::string quoted(const std::string &text);
