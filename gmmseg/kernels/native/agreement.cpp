// How the pseudo-likelihood of the classes changes with the strength at which neighbours are heard (Besag 1975).
#include "kernels.h"
#include "pack.h"

namespace {

using std::ptrdiff_t;
constexpr ptrdiff_t kRun = 512;  // voxels whose sums are of single precision

void agreement(const float* said, ptrdiff_t n, ptrdiff_t classes, float total, double* sums) {
    constexpr int L = kLanes<float>;
    const float power = total * 1.4426950408889634f;
    for (ptrdiff_t first = 0; first < n; first += kRun) {
        const ptrdiff_t end = first + kRun < n ? first + kRun : n;
        Pack<float> mean{}, variance{};
        for (ptrdiff_t v = first; v < end; v += L) {
            Pack<float> whole{}, once{}, twice{};
            for (ptrdiff_t c = 0; c < classes; ++c) {
                const Pack<float> heard = load_within(said + c * n, v, n);  // of no voxel: 0, which adds nothing below
                const Pack<float> p = exp2_negative(power * heard);
                whole += p;
                once += p * heard;
                twice += p * heard * heard;
            }
            once /= whole;
            mean += once;
            variance += twice / whole - once * once;
        }
        for (int lane = 0; lane < L; ++lane) {
            sums[0] += double(mean[lane]);
            sums[1] += double(variance[lane]);
        }
    }
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Agreement agreement_kernel = agreement;
}
}  // namespace gmmseg
