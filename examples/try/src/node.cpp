#include "node.h"

#include <numeric>
#include <utility>

Tree number(double value) { return std::make_shared<Node>(Node{Number{value}}); }
Tree name(std::string text) { return std::make_shared<Node>(Node{Name{std::move(text)}}); }

Tree binary(char sign, Tree left, Tree right) {
  return std::make_shared<Node>(Node{Binary{sign, std::move(left), std::move(right)}});
}

Tree call(std::string function, std::vector<Tree> arguments) {
  return std::make_shared<Node>(Node{Call{std::move(function), std::move(arguments)}});
}

bool is_number(const Tree &tree, double value) {
  auto *found = std::get_if<Number>(&tree->what);
  return found && found->value == value;
}

std::size_t size_of(const Tree &tree) {
  return std::visit(Cases{[](const Number &) { return std::size_t{1}; }, [](const Name &) { return std::size_t{1}; },
                          [](const Binary &b) { return 1 + size_of(b.left) + size_of(b.right); },
                          [](const Call &c) {
                            return std::accumulate(c.arguments.begin(), c.arguments.end(), std::size_t{1},
                                                   [](std::size_t sum, const Tree &t) { return sum + size_of(t); });
                          }},
                    tree->what);
}
