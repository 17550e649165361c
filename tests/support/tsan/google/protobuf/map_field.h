// For programs of the preset tsan. Under GCC's ThreadSanitizer a message with a map gets two members more, which Debian's libprotobuf,
// built without, knows nothing of: the programs would crash at the first such message.
#pragma once
#include <google/protobuf/map_entry.h>
#include <google/protobuf/map_field_lite.h>
#include <google/protobuf/map_type_handler.h>
#include <google/protobuf/unknown_field_set.h>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")
