#include <algorithm>
#include <sstream>

#include "json.h"

static bool is_simple(const Json &json) {
  return !std::holds_alternative<Json::List>(json.what) && !std::holds_alternative<Json::Object>(json.what);
}

std::string indented(const Json &json, int depth) {
  std::string inner(2 * static_cast<std::size_t>(depth) + 2, ' '), outer(2 * static_cast<std::size_t>(depth), ' ');
  std::ostringstream out;
  if (auto *list = std::get_if<Json::List>(&json.what)) {
    if (std::all_of(list->begin(), list->end(), is_simple)) return compact(json);
    out << "[\n";
    for (std::size_t i = 0; i < list->size(); ++i) out << inner << indented((*list)[i], depth + 1) << (i + 1 < list->size() ? ",\n" : "\n");
    out << outer << ']';
  } else if (auto *object = std::get_if<Json::Object>(&json.what)) {
    out << "{\n";
    std::size_t left = object->size();
    for (const auto &[key, value] : *object) out << inner << quoted(key) << ": " << indented(value, depth + 1) << (--left ? ",\n" : "\n");
    out << outer << '}';
  } else {
    return compact(json);
  }
  return out.str();
}
