// One sitting: its variables, its history, and what each line answers.
#pragma once
#include <string>
#include <vector>

#include "evaluate.h"

class Session {
 public:
  /// `NAME = EXPRESSION`, `COMMAND EXPRESSION` (json, lisp, derive) or an expression.
  std::string answer(const std::string &line);
  const std::vector<std::string> &history() const { return history_; }
  const Variables &variables() const { return variables_; }

 private:
  std::string answer_to(const std::string &line);
  Variables variables_;
  std::vector<std::string> history_;
};
