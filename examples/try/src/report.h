// The summary at the end of a session.
#pragma once
#include <iosfwd>

#include "session.h"

void write_report(std::ostream &out, const Session &session);
