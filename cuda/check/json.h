#pragma once

#include <cmath>
#include <cstdio>
#include <string>

namespace cps {

// Writes one JSON document, member after member. Names are left out within arrays.
class Json {
 public:
  void open(const std::string& name, char bracket) {
    member(name);
    out_ += bracket;
    first_ = true;
    open_ += bracket == '{' ? '}' : ']';
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
    open_.pop_back();
  }
  // How deep in brackets this is, and the way back to there after an exception.
  size_t depth() const { return open_.size(); }
  void closeTo(size_t depth) {
    while (open_.size() > depth) close(open_.back());
  }
  void number(const std::string& name, double value) {
    member(name);
    char text[40];
    std::snprintf(text, sizeof text, std::floor(value) == value ? "%.0f" : "%.6g", value);
    out_ += text;
  }
  void text(const std::string& name, const std::string& value) {
    member(name);
    quote(value);
  }
  const std::string& str() const { return out_; }

 private:
  void member(const std::string& name) {
    if (!first_) out_ += ",";
    first_ = false;
    if (name.empty()) return;
    quote(name);
    out_ += ":";
  }
  void quote(const std::string& value) {
    out_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out_ += '\\';
      out_ += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    out_ += '"';
  }

  std::string out_;
  std::string open_;  // closing brackets still to come
  bool first_ = true;
};

}  // namespace cps
