// What neighbours say of the classes, and how the classes' pseudo-likelihood changes with the strength at which they are
// heard (Besag 1975).
#include "kernels.h"
#include "pack.h"

namespace {

using gmmseg::SaidJob;
using std::ptrdiff_t;
constexpr float kBlind = 0.2f;  // as of gmmseg.kernels.neighbours
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

// Adds to each voxel of a row what it hears from others of these edges.
void hear(const float* __restrict edges, const float* __restrict q, ptrdiff_t n, float* __restrict out) {
    for (ptrdiff_t x = 0; x < n; ++x) out[x] += edges[x] * q[x];
}

// The edges of one row of voxels to those at an offset; `apart` voxels lie between the rows.
void edges_of(const SaidJob& job, ptrdiff_t row, ptrdiff_t apart, ptrdiff_t n, float strength, float* __restrict edges) {
    const ptrdiff_t voxels = job.n_patches * job.size[0] * job.size[1] * job.size[2];
    for (ptrdiff_t x = 0; x < n; ++x) edges[x] = 0;
    for (int c = 0; c < job.n_guides; ++c) {
        const float *here = job.guide + c * voxels + row, *there = here + apart, sharpness = job.sharpness[c];
        for (ptrdiff_t x = 0; x < n; ++x) {
            const float difference = sharpness * (here[x] - there[x]);
            edges[x] += difference * difference;
        }
    }
    const std::uint8_t *here = job.valid + row, *there = here + apart;
    for (ptrdiff_t x = 0; x < n; ++x) {
        float left = 1 - edges[x] / 8;
        left = left > 0 ? left : 0;
        left *= left;
        left *= left;
        edges[x] = here[x] & there[x] ? strength * (kBlind + (1 - kBlind) * (left * left)) : 0.0f;
    }
}

void said(const SaidJob& job) {
    const auto [depth, rows, columns] = job.size;
    const ptrdiff_t voxels = job.n_patches * depth * rows * columns;
    for (int o = 0; o < job.n_offsets; ++o) {
        const ptrdiff_t dz = job.offsets[3 * o], dy = job.offsets[3 * o + 1], dx = job.offsets[3 * o + 2];
        const ptrdiff_t apart = (dz * rows + dy) * columns + dx, first = dx < 0 ? -dx : 0;
        const ptrdiff_t n = columns - (dx < 0 ? -dx : dx);
        for (ptrdiff_t line = 0; n > 0 && line < job.n_patches * depth * rows; ++line) {
            const ptrdiff_t z = line / rows % depth + dz, y = line % rows + dy;
            if (z < 0 || z >= depth || y < 0 || y >= rows) continue;
            const ptrdiff_t row = line * columns + first;
            edges_of(job, row, apart, n, job.strengths[o], job.edges);
            for (int k = 0; k < job.n_classes; ++k) {
                const float* q = job.q + k * voxels + row;
                float* out = job.out + k * voxels + row;
                hear(job.edges, q + apart, n, out);
                hear(job.edges, q, n, out + apart);
            }
        }
    }
}

}  // namespace

namespace gmmseg {
namespace GMMSEG_ISA {
const Agreement agreement_kernel = agreement;
const Said said_kernel = said;
}
}  // namespace gmmseg
