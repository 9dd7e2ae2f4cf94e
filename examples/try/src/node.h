// The tree of an expression. Nodes never change, so trees share their parts.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

struct Node;
using Tree = std::shared_ptr<const Node>;

struct Number { double value; };
struct Name { std::string text; };
struct Binary { char sign; Tree left, right; };
struct Call { std::string function; std::vector<Tree> arguments; };

struct Node {
  std::variant<Number, Name, Binary, Call> what;
};

Tree number(double value);
Tree name(std::string text);
Tree binary(char sign, Tree left, Tree right);
Tree call(std::string function, std::vector<Tree> arguments);

bool is_number(const Tree &tree, double value);
std::size_t size_of(const Tree &tree);

/// Puts several lambdas together for std::visit.
template <class... Parts> struct Cases : Parts... { using Parts::operator()...; };
template <class... Parts> Cases(Parts...) -> Cases<Parts...>;
