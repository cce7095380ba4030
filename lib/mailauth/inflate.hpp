#pragma once

// Decompression of what strangers sent: gzip (RFC 1952) and zip (APPNOTE.TXT of PKWARE: stored and deflated entries),
// bounded in every direction.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mailauth {

struct inflate_bounds {
  std::size_t octets;   // of everything that comes out of one call
  std::size_t ratio;    // octets out for one in; not looked at below a megabyte
  std::size_t entries;  // files of a zip
};

bool is_gzip(std::string_view octets) noexcept;
bool is_zip(std::string_view octets) noexcept;

// All members one after the other; what follows the last is ignored. errc::malformed, errc::limit_exceeded.
base::result<std::string> gunzip(std::string_view octets, const inflate_bounds& bounds);

// The files of a zip in the order of its central directory, folders and entries of no octets left out. errc::malformed;
// errc::unsupported for encryption, ZIP64 and other methods; errc::limit_exceeded.
base::result<std::vector<std::string>> unzip(std::string_view octets, const inflate_bounds& bounds);

}  // namespace briefwerk::mailauth
