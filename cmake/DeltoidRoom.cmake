# deltoid_room(NAME SOURCES ... [LIBS ...]): one room, an object library with the project's warnings and numeric rules.
# deltoid_link_rooms(TARGET SCOPE ROOM ...): puts rooms into a target, and links it, PUBLIC or PRIVATE, to what they need.

set(DELTOID_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wvla
                     -Wformat=2 -Wundef)
if(DELTOID_WERROR)
  list(APPEND DELTOID_WARNINGS -Werror)
endif()

# The same bits from every compiler: no contraction, no reassociation, no libm shortcuts.
set(DELTOID_NUMERICS -ffp-contract=off -fno-fast-math -fno-math-errno)

if(DELTOID_SANITIZE)
  add_compile_options(-fsanitize=${DELTOID_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${DELTOID_SANITIZE})
  if(DELTOID_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()

function(deltoid_target_rules target)
  target_compile_options(${target} PRIVATE ${DELTOID_WARNINGS} ${DELTOID_NUMERICS})
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden) # but for what the public headers declare
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
endfunction()

function(deltoid_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LIBS" ${ARGN})
  add_library(dt_${name} OBJECT ${ROOM_SOURCES})
  deltoid_target_rules(dt_${name})
  target_link_libraries(dt_${name} PUBLIC ${ROOM_LIBS})
endfunction()

# Both precisions of one source: compiled as float32 and as float64, told apart by the suffix that real.h gives its names.
function(deltoid_room_in_both_precisions name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LIBS" ${ARGN})
  foreach(bits 32 64)
    add_library(dt_${name}_f${bits} OBJECT ${ROOM_SOURCES})
    deltoid_target_rules(dt_${name}_f${bits})
    target_compile_definitions(dt_${name}_f${bits} PRIVATE DT_PRECISION=${bits})
    target_link_libraries(dt_${name}_f${bits} PUBLIC ${ROOM_LIBS})
    set_property(GLOBAL APPEND PROPERTY DELTOID_PARTS_${name} dt_${name}_f${bits})
  endforeach()
endfunction()

# Variant sources (kernels/isa.h): compiled for each precision and instruction set; the names of their tables end in both.
set(DELTOID_ISAS generic)
set(DELTOID_ISA_FLAGS_generic)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND DELTOID_ISAS avx2 avx512)
  set(DELTOID_ISA_FLAGS_avx2 -mavx2 -mfma -mprfchw)
  set(DELTOID_ISA_FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprfchw -mprefer-vector-width=512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND DELTOID_ISAS neon)
  set(DELTOID_ISA_FLAGS_neon -DDT_NEON)
endif()

function(deltoid_variants name)
  cmake_parse_arguments(ROOM "" "" "SOURCES" ${ARGN})
  foreach(bits 32 64)
    foreach(isa ${DELTOID_ISAS})
      set(part dt_${name}_f${bits}_${isa})
      add_library(${part} OBJECT ${ROOM_SOURCES})
      deltoid_target_rules(${part})
      target_compile_definitions(${part} PRIVATE DT_PRECISION=${bits} DT_ISA=${isa})
      # Inner loops at full speed in every build: a debug build of them is of no use.
      target_compile_options(${part} PRIVATE -O3 ${DELTOID_ISA_FLAGS_${isa}})
      set_property(GLOBAL APPEND PROPERTY DELTOID_PARTS_${name} ${part})
    endforeach()
  endforeach()
endfunction()

function(deltoid_link_rooms target scope)
  foreach(room ${ARGN})
    get_property(parts GLOBAL PROPERTY DELTOID_PARTS_${room})
    if(TARGET dt_${room})
      list(APPEND parts dt_${room})
    endif()
    foreach(part ${parts})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${part}>)
      get_target_property(libs ${part} LINK_LIBRARIES)
      if(libs)
        target_link_libraries(${target} ${scope} ${libs})
      endif()
    endforeach()
  endforeach()
endfunction()

# deltoid_embed(VARIABLE NAME FILE): appends to the C source in VARIABLE the definition of a string NAME that holds the file.
function(deltoid_embed variable name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  set(${variable} "${${variable}}\nconst char ${name}[] = {${bytes}0};\n" PARENT_SCOPE)
endfunction()
