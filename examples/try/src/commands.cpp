#include "commands.h"

#include "derive.h"
#include "printers.h"
#include "simplify.h"

const std::map<std::string, std::function<std::string(const Tree &)>> &commands() {
  static const std::map<std::string, std::function<std::string(const Tree &)>> table{
      {"json", [](const Tree &tree) { return indented(as_json(tree)); }},
      {"lisp", lisp},
      {"simple", [](const Tree &tree) { return infix(simplified(tree)); }},
      {"derive", [](const Tree &tree) { return infix(derived(tree, "x")); }},
      {"size", [](const Tree &tree) { return std::to_string(size_of(tree)); }},
  };
  return table;
}
