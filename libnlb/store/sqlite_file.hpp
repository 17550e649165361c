// The file of a SQLite store before SQLite opens it: where it stands, made under another name so that an empty one is never valid, and
// whether it was cut. SQLite reads a missing end of the last page as zeros, and throws the log of an empty file away.
#pragma once

#include <string>

#include "libnlb/core/result.hpp"

namespace nlb::store {

Result<bool> file_is_there(const std::string& path);   // bad_input: its log is there, but not the file
Result<> check_not_cut(const std::string& path);
Result<> move_into_place(const std::string& from, const std::string& to);   // durable when it returns

}  // namespace nlb::store
