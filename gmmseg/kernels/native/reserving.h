// Working memory of the smoothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#if defined(__linux__)
#include <sys/mman.h>
#endif

inline void* aligned(char* p, size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    return reinterpret_cast<void*>((address + alignment - 1) / alignment * alignment);
}

// Memory that a thread keeps from tile to tile, in huge pages where the system has them: fresh pages cost as much as
// the smoothing itself. A quarter more than was asked for, because tiles at the border are smaller than those after
// them.
inline void* reserve(std::ptrdiff_t bytes) {
    constexpr size_t huge = size_t(1) << 21;
    static thread_local std::unique_ptr<char[]> memory;
    static thread_local size_t room = 0;
    if (room < size_t(bytes)) {
        memory.reset();
        room = 0;  // for the next call, should there be too little memory for this one
        const size_t wanted = size_t(bytes) + size_t(bytes) / 4;
        memory.reset(new char[wanted + huge]);
        room = wanted;
#if defined(__linux__)
        if (room >= huge) madvise(aligned(memory.get(), huge), room / huge * huge, MADV_HUGEPAGE);
#endif
    }
    return aligned(memory.get(), room >= huge ? huge : 64);
}
