# The kernels, without Python: object libraries that `kernel_libraries` names, for whoever links or merely compiles them.

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)

# clang-cl takes Clang's own options behind this word, and ignores them without it.
if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  set(word "/clang:")
endif()

# A fused multiplication rounds once, and compilers fuse the rest of a row in another way than its vectors.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/texture.cpp ${CMAKE_CURRENT_LIST_DIR}/halving.cpp PROPERTIES COMPILE_OPTIONS ${word}-ffp-contract=off)

# Every kernel source once for each instruction set, in a namespace of that name; module.cpp chooses at run time.
function(add_kernels isa name)
  list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
  add_library(kernels_${isa} OBJECT ${sources})
  target_compile_definitions(kernels_${isa} PRIVATE GMMSEG_ISA=${isa} GMMSEG_ISA_NAME="${name}")
  # No trapping: lanes past the end of the data may hold anything. -fno-math-errno lets square roots be instructions.
  set(options -O3 -falign-loops=64 -fno-math-errno -fno-trapping-math ${ARGN})
  list(TRANSFORM options PREPEND "${word}")
  target_compile_options(kernels_${isa} PRIVATE ${options})
  set(kernel_libraries ${kernel_libraries} kernels_${isa} PARENT_SCOPE)
endfunction()

set(sources mixture.cpp gaps.cpp spatial.cpp agreement.cpp color.cpp texture.cpp halving.cpp algebra.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_kernels(v4 x86-64-v4 -march=x86-64-v4 -mprefer-vector-width=512)
  add_kernels(v3 x86-64-v3 -march=x86-64-v3)
  add_kernels(baseline x86-64)
else()
  add_kernels(baseline ${CMAKE_SYSTEM_PROCESSOR})
endif()
