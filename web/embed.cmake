# Writes a C++ source with the bytes of files, for assets.h.
#   cmake -D OUTPUT=assets.cc -D LIST=assets.list -P embed.cmake
# Each line of LIST is `path|file`, or `path|file+file`: one behind the other. The content type is
# that of the last file's ending.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_json "application/json")
set(type_yaml "application/yaml")

file(STRINGS ${LIST} lines)
set(arrays "")
set(entries "")
set(count 0)
foreach(line ${lines})
  string(REPLACE "|" ";" parts "${line}")
  list(GET parts 0 path)
  list(GET parts 1 files)
  string(REPLACE "+" ";" files "${files}")
  set(hex "")
  foreach(name ${files})
    file(READ ${name} more HEX)
    string(APPEND hex "${more}")
    cmake_path(GET name EXTENSION LAST_ONLY ending)
  endforeach()
  string(SUBSTRING ${ending} 1 -1 ending)
  if(NOT DEFINED type_${ending})
    message(FATAL_ERROR "embed.cmake: what is the content type of ${line}?")
  endif()
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  string(SHA256 hash "${hex}")
  string(SUBSTRING ${hash} 0 16 hash)
  # Lines of 32 bytes; the compiler gets one array a file.
  string(REGEX REPLACE "(................................................................)" "\\1\n"
    hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char kBytes${count}[] = {\n${bytes}};\n")
  string(APPEND entries "    {\"${path}\", \"${type_${ending}}\", \"\\\"${hash}\\\"\",\n"
    "     {reinterpret_cast<const char*>(kBytes${count}), ${size}}},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Written by web/embed.cmake.
#include \"web/assets.h\"

namespace belfry {
namespace {

${arrays}
}  // namespace

std::span<const Asset> Assets() {
  static const Asset kAssets[] = {
${entries}  };
  return kAssets;
}

}  // namespace belfry
")
