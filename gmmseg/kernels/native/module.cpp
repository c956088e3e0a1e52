// The Python side of the kernels: arrays in, the best instruction set, threads without the interpreter lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "calling.h"
#include "reserving.h"
#include "summing.h"

namespace nb = nanobind;
using std::ptrdiff_t;
using namespace gmmseg;

namespace {

template <class T>
using Planes = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;
template <class T>
using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Parameters = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;  // as in gmmseg.kernels
using Densities = std::tuple<Rows, Table, Parameters, nb::object, nb::object>;

// A mixture's parameters in the precision and order that the kernels read.
template <class T>
struct Prepared : MixtureJob<T> {
    std::vector<T> values, tails;
    std::vector<int> first;
    // So many of the features are no planes.
    Prepared(const Planes<T>& planes, const Densities& densities, const nb::object& log_prior, size_t others = 0)
        : MixtureJob<T>{} {
        const auto& [constants, means, factors, dof, per_class] = densities;
        this->samples = planes.data();
        this->feature_stride = planes.stride(0);
        this->sample_stride = planes.stride(1);
        this->n_samples = ptrdiff_t(planes.shape(1));
        this->weights = nullptr;
        this->n_features = int(means.shape(1));
        this->n_components = int(means.shape(0));
        this->diagonal = factors.ndim() == 2;
        const size_t k = means.shape(0), wide = means.shape(1);
        require(k > 0 && wide > 0 && planes.shape(0) + others == wide, "planes and means differ in their number of features");
        require(constants.shape(0) == k && factors.shape(0) == k && factors.shape(1) == wide &&
                    (this->diagonal || factors.shape(2) == wide),
                "weights, means and precision factors differ in their numbers of components or features");
        values.resize(size_t(this->n_components * this->params_per_component()));
        pack_parameters(*this, constants.data(), means.data(), factors.data(), values.data());
        this->params = values.data();
        this->log_prior = nullptr;
        if (!log_prior.is_none()) {
            const auto a = nb::cast<nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>>(log_prior);
            require(a.shape(0) == k && a.shape(1) == planes.shape(1) && (a.stride(1) == 1 || a.shape(1) < 2),
                    "the prior has not one contiguous row of all samples for each component");
            this->log_prior = a.data();
            this->prior_stride = a.stride(0);
        }
        this->screen = nullptr;
        this->dof = nullptr;
        if (!dof.is_none()) {
            const auto a = nb::cast<Rows>(dof);
            require(a.shape(0) == k, "there are not degrees of freedom for each component");
            for (size_t i = 0; i < k; ++i) tails.push_back(T(a.data()[i]));
            this->dof = tails.data();
        }
        if (!per_class.is_none()) {
            const auto a = nb::cast<nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>>(per_class);
            first.push_back(0);
            for (size_t c = 0; c < a.shape(0); ++c) {
                require(a.data()[c] >= 0 && a.data()[c] <= this->n_components - first.back(),
                        "classes have not the components that there are");
                first.push_back(first.back() + int(a.data()[c]));
            }
            require(first.back() == this->n_components, "classes have not the components that there are");
            this->begins = first.data();
            this->n_classes = int(a.shape(0));
        }
    }
    // How many classes have posteriors: each component is one where nothing else is said.
    int classes() const { return this->begins ? this->n_classes : this->n_components; }
};

template <class T>
nb::tuple statistics(const Planes<T>& planes, nb::object weights, const Densities& densities, int threads,
                     nb::object log_prior) {
    Prepared<T> job(planes, densities, log_prior);
    Vector<const T> weight;
    if (!weights.is_none()) {
        weight = nb::cast<Vector<const T>>(weights);
        require(weight.shape(0) == planes.shape(1), "there is not one weight for each sample");
        job.weights = weight.data();
    }
    const size_t moments = size_t(job.params_per_component()), size = size_t(job.sums());
    const size_t k = size_t(job.n_components), columns = size / k;
    std::unique_ptr<double[]> sums(new double[size]());
    double loglik = 0;
    {
        nb::gil_scoped_release unlocked;
        Crew crew(threads);
        loglik = all_statistics(job, crew, sums.get());
    }
    double* data = new double[size];
    for (size_t i = 0; i < k; ++i) {
        std::copy_n(sums.get() + i * moments, moments, data + i * columns);
        std::copy_n(sums.get() + k * moments + i * (columns - moments), columns - moments,
                    data + i * columns + moments);
    }
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    return nb::make_tuple(nb::ndarray<nb::numpy, double>(data, {k, columns}, owner), loglik);
}

template <class T>
bool posterior(const Planes<T>& planes, const Densities& densities, nb::object out, nb::object log_density,
               int threads, nb::object log_prior) {
    Prepared<T> job(planes, densities, log_prior);
    T* to = nullptr;
    T* density = nullptr;
    ptrdiff_t stride = 0;
    if (!out.is_none()) {
        auto a = nb::cast<nb::ndarray<T, nb::ndim<2>, nb::device::cpu>>(out);
        require(ptrdiff_t(a.shape(0)) == job.classes() && a.shape(1) == planes.shape(1) &&
                    (a.stride(1) == 1 || a.shape(1) < 2),
                "the output has not one contiguous row of all samples for each component or class");
        to = a.data();
        stride = a.stride(0);
    }
    if (!log_density.is_none()) {
        auto a = nb::cast<Vector<T>>(log_density);
        require(a.shape(0) == planes.shape(1), "the output has not one number for each sample");
        density = a.data();
    }
    nb::gil_scoped_release unlocked;
    return all_known(job, threads, [&](ptrdiff_t b, ptrdiff_t e) {
        if constexpr (sizeof(T) == 4) return kernels().mixture.posterior_f32(job, b, e, to, stride, density);
        else return kernels().mixture.posterior_f64(job, b, e, to, stride, density);
    });
}

template <class T, class Label>
bool classify(const Planes<T>& planes, const Densities& densities, Vector<Label> out, int first, int threads,
              nb::object log_prior) {
    Prepared<T> job(planes, densities, log_prior);
    require(out.shape(0) == planes.shape(1), "the output has not one number for each sample");
    std::uint8_t* out8 = nullptr;
    std::int64_t* out64 = nullptr;
    if constexpr (sizeof(Label) == 1) out8 = out.data();
    else out64 = out.data();
    nb::gil_scoped_release unlocked;
    return all_known(job, threads, [&](ptrdiff_t b, ptrdiff_t e) {
        if constexpr (sizeof(T) == 4) return kernels().mixture.classify_f32(job, b, e, out8, out64, first);
        else return kernels().mixture.classify_f64(job, b, e, out8, out64, first);
    });
}

template <class T, int N>
using Packed = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Neighbourhood = std::tuple<Packed<const std::int64_t, 2>, Packed<const float, 1>, Packed<const float, 1>, int>;

// A smoothing but for where its probabilities and guides come from.
SmoothJob smoothing(size_t n_classes, const size_t* shape, const nb::object& valid, const Neighbourhood& neighbourhood,
                    const nb::tuple& inner_first, const nb::object& labels, const nb::object& probabilities) {
    const auto& [offsets, strengths, sharpness, sweeps] = neighbourhood;
    SmoothJob job{};
    job.n_classes = int(n_classes);
    job.n_guides = int(sharpness.shape(0));
    job.n_offsets = int(offsets.shape(0));
    job.offsets = offsets.data();
    job.strengths = strengths.data();
    job.sharpness = sharpness.data();
    job.sweeps = sweeps;
    job.reserve = reserve;
    if (!valid.is_none()) {
        auto a = nb::cast<Packed<const std::uint8_t, 3>>(valid);
        for (int i = 0; i < 3; ++i) require(a.shape(i) == shape[i], "valid has not the shape of the tile");
        job.valid = a.data();
    }
    require(n_classes > 0 && n_classes <= 255, "there are not 1 to 255 classes");
    require(offsets.shape(1) == 3 && strengths.shape(0) == offsets.shape(0) && sweeps > 0,
            "offsets, strengths or sweeps do not fit");
    for (int i = 0; i < 3; ++i) {
        job.size[i] = ptrdiff_t(shape[i]);
        job.inner_first[i] = nb::cast<ptrdiff_t>(inner_first[i]);
    }
    float said = 0;
    for (size_t i = 0; i < strengths.shape(0); ++i) said += 2 * strengths.data()[i];
    require(said <= 32, "all neighbours together say more than 32 nats");
    for (size_t i = 0; i < 3 * offsets.shape(0); ++i)
        require(std::abs(offsets.data()[i]) <= 1, "only the next voxels can be neighbours");
    if (!labels.is_none()) {
        auto a = nb::cast<nb::ndarray<std::uint8_t, nb::ndim<3>, nb::device::cpu>>(labels);
        job.labels = a.data();
        for (int i = 0; i < 3; ++i) job.label_strides[i] = a.stride(i), job.inner_size[i] = ptrdiff_t(a.shape(i));
    }
    if (!probabilities.is_none()) {
        auto a = nb::cast<nb::ndarray<float, nb::ndim<4>, nb::device::cpu>>(probabilities);
        job.probabilities = a.data();
        for (int i = 0; i < 4; ++i) job.probability_strides[i] = a.stride(i);
        require(a.shape(0) == n_classes, "probabilities have not one part for each class");
        for (int i = 0; i < 3; ++i) {
            require(labels.is_none() || job.inner_size[i] == ptrdiff_t(a.shape(i + 1)), "the outputs differ in shape");
            job.inner_size[i] = ptrdiff_t(a.shape(i + 1));
        }
    }
    for (int i = 0; i < 3; ++i)
        require(job.inner_first[i] >= 0 && job.inner_first[i] + job.inner_size[i] <= job.size[i],
                "the output leaves the tile");
    return job;
}

void smooth(const Packed<const float, 4>& prior, const Packed<const float, 4>& guide, nb::object valid,
            const Neighbourhood& neighbourhood, nb::tuple inner_first, nb::object labels, nb::object probabilities) {
    const size_t shape[] = {prior.shape(1), prior.shape(2), prior.shape(3)};
    SmoothJob job = smoothing(prior.shape(0), shape, valid, neighbourhood, inner_first, labels, probabilities);
    for (size_t i = 0; i < 3; ++i) require(guide.shape(i + 1) == shape[i], "the guide has not the shape of the tile");
    require(ptrdiff_t(guide.shape(0)) == job.n_guides, "there is not one sharpness for each guide");
    job.prior = prior.data();
    job.guide = guide.data();
    nb::gil_scoped_release unlocked;
    kernels().smooth(job);
}

bool smooth_planes(const Packed<const float, 4>& planes, nb::tuple places, const Densities& densities, nb::object valid,
                   const Neighbourhood& neighbourhood, nb::tuple inner_first, nb::object labels) {
    const size_t shape[] = {planes.shape(1), planes.shape(2), planes.shape(3)}, n = shape[0] * shape[1] * shape[2];
    const Planes<float> samples(planes.data(), {planes.shape(0), n}, nb::handle());
    const Prepared<float> mixture(samples, densities, nb::none(), places.size());
    SmoothJob job = smoothing(size_t(mixture.classes()), shape, valid, neighbourhood, inner_first, labels, nb::none());
    require(job.n_guides <= int(planes.shape(0)), "there is not one plane for each sharpness");
    require(places.size() <= 3, "there are more places than axes");
    job.n_places = int(places.size());
    for (size_t a = 0; a < places.size(); ++a) {
        const auto along = nb::cast<Vector<const float>>(places[a]);
        require(along.shape(0) == shape[2 - a], "places are not as many as the tile has along their axis");
        job.places[a] = along.data();
    }
    job.mixture = &mixture;
    job.guide = planes.data();
    nb::gil_scoped_release unlocked;
    return kernels().smooth(job);
}

template <class T>
void lab(const nb::ndarray<const T, nb::ndim<3>, nb::device::cpu>& pixels, nb::object linear, Packed<float, 2> out) {
    LabJob job{};
    job.pixels = pixels.data();
    job.kind = sizeof(T);
    job.row_stride = pixels.stride(0) * ptrdiff_t(sizeof(T));
    job.pixel_stride = pixels.stride(1) * ptrdiff_t(sizeof(T));
    job.channel_stride = pixels.stride(2) * ptrdiff_t(sizeof(T));
    job.rows = ptrdiff_t(pixels.shape(0));
    job.columns = ptrdiff_t(pixels.shape(1));
    require(pixels.shape(2) == 3 && out.shape(0) == 3 && out.shape(1) == pixels.shape(0) * pixels.shape(1),
            "the output has not three planes of all pixels");
    if (sizeof(T) < 4) {
        auto table = nb::cast<Vector<const float>>(linear);
        require(table.shape(0) == size_t(1) << (8 * sizeof(T)), "the table has not one entry for each value");
        job.linear = table.data();
    }
    job.out = out.data();
    job.plane_stride = ptrdiff_t(out.shape(1));
    nb::gil_scoped_release unlocked;
    kernels().lab(job);
}

using Field = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

void texture(const Field& values, nb::object known, const Packed<const std::int64_t, 2>& steps,
             const Packed<const std::int64_t, 1>& shift, const Packed<const float, 1>& slopes,
             nb::ndarray<float, nb::c_contig, nb::device::cpu> out) {
    TextureJob job{};
    const size_t axes = values.ndim(), missing = 3 - axes;
    require(axes >= 1 && axes <= 3 && out.ndim() == axes + 1 && steps.shape(0) >= 2 && steps.shape(1) == axes &&
                shift.shape(0) == axes && slopes.shape(0) == axes && out.shape(0) == 2 + axes * (axes + 1) / 2,
            "values, steps, shift, slopes and the output differ in their axes");
    std::vector<std::int64_t> table(3 * steps.shape(0), 0);
    for (size_t a = 0; a < 3; ++a) {
        job.size[a] = job.inner[a] = 1;
        if (a < missing) continue;
        const size_t b = a - missing;
        ptrdiff_t reach = std::max<ptrdiff_t>(1, steps.data()[axes + b]) + steps.data()[b];
        for (size_t i = 0; i < steps.shape(0); ++i) {
            table[3 * i + a] = steps.data()[i * axes + b];
            require(table[3 * i + a] >= 0, "a step is below 0");
            reach += table[3 * i + a];
        }
        job.shift[a] = shift.data()[b];
        job.slopes[a] = slopes.data()[b];
        job.size[a] = ptrdiff_t(values.shape(b));
        job.inner[a] = ptrdiff_t(out.shape(b + 1));
        require(job.shift[a] >= 0 && job.inner[a] > 0 &&
                    job.size[a] == job.inner[a] + 2 * (reach + job.shift[a] + job.shift[a] / 2),
                "the values do not reach around the output as far as the steps and the shift do");
    }
    job.values = values.data();
    if (!known.is_none()) {
        auto a = nb::cast<Field>(known);
        require(a.ndim() == axes, "known has not the shape of the values");
        for (size_t i = 0; i < axes; ++i)
            require(a.shape(i) == values.shape(i), "known has not the shape of the values");
        job.known = a.data();
    }
    job.n_axes = int(axes);
    job.n_levels = int(steps.shape(0));
    job.steps = table.data();
    job.out = out.data();
    job.reserve = reserve;
    nb::gil_scoped_release unlocked;
    kernels().texture(job);
}

void halve(const Packed<const float, 2>& picture, int rounding, std::tuple<float, float> limits,
           const Packed<float, 2>& out) {
    require(picture.shape(0) == 2 * out.shape(0) && picture.shape(1) == 2 * out.shape(1),
            "the picture is not twice as large as what it was enlarged from");
    require(rounding >= 0 && rounding <= 2, "a rounding is 0, 1 or 2");
    const auto n = ptrdiff_t(out.shape(0)), m = ptrdiff_t(out.shape(1));
    if (n == 0 || m == 0) return;
    const std::unique_ptr<float[]> memory(new float[size_t(halving_memory(n, m))]);
    const auto [low, high] = limits;
    const HalvingJob job{picture.data(), out.data(), n, m, rounding, low, high, memory.get()};
    nb::gil_scoped_release unlocked;
    kernels().halving(job);
}

double agreement(const Packed<const float, 5>& q, const Packed<const float, 5>& guide,
                 const Packed<const std::uint8_t, 4>& valid, const Packed<const std::uint8_t, 4>& counted,
                 const Packed<const std::int64_t, 2>& offsets, const Packed<const float, 1>& strengths,
                 const Packed<const float, 1>& sharpness, double total, double most, double settled, int steps) {
    AgreementJob job{};
    for (size_t i = 0; i < 4; ++i)
        require(q.shape(i + 1) == valid.shape(i) && guide.shape(i + 1) == valid.shape(i) &&
                    counted.shape(i) == valid.shape(i),
                "probabilities, guide, valid and counted differ in their shapes");
    require(guide.shape(0) == sharpness.shape(0), "there is not one sharpness for each guide");
    require(offsets.shape(1) == 3 && offsets.shape(0) == strengths.shape(0), "there is not one strength for each offset");
    job.q = q.data();
    job.guide = guide.data();
    job.valid = valid.data();
    job.counted = counted.data();
    job.n_patches = ptrdiff_t(valid.shape(0));
    for (size_t i = 0; i < 3; ++i) job.size[i] = ptrdiff_t(valid.shape(i + 1));
    job.n_classes = int(q.shape(0));
    job.n_guides = int(guide.shape(0));
    job.n_offsets = int(offsets.shape(0));
    job.offsets = offsets.data();
    job.strengths = strengths.data();
    job.sharpness = sharpness.data();
    job.most = most;
    job.settled = settled;
    job.steps = steps;
    nb::gil_scoped_release unlocked;
    std::vector<float> edges(valid.shape(3)), said(q.size(), 0.0f), highest(valid.size());
    job.edges = edges.data();
    job.said = said.data();
    job.highest = highest.data();
    return kernels().agreement(job, total);
}

}  // namespace

NB_MODULE(_native, m) {
    m.attr("INSTRUCTION_SET") = kernels().mixture.instruction_set;
    const auto bind = [&](auto zero) {
        using T = decltype(zero);
        const auto prior = nb::arg("log_prior").noconvert() = nb::none();
        m.def("statistics", &statistics<T>, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(), prior);
        m.def("posterior", &posterior<T>, nb::arg().noconvert(), nb::arg(), nb::arg().none(), nb::arg().none(),
              nb::arg(), prior);
        m.def("classify", &classify<T, std::uint8_t>, nb::arg().noconvert(), nb::arg(), nb::arg().noconvert(), nb::arg(),
              nb::arg(), prior);
        m.def("classify", &classify<T, std::int64_t>, nb::arg().noconvert(), nb::arg(), nb::arg().noconvert(), nb::arg(),
              nb::arg(), prior);
    };
    bind(0.0f);
    bind(0.0);
    bind_gaps(m);
    bind_climbing(m);
    bind_dividing(m);
    bind_moving(m);
    bind_trying(m);
    bind_tying(m);
    bind_outlying(m);
    bind_clustering(m);
    bind_coloring(m);
    bind_factoring(m);
    bind_chance(m);
    bind_bumps(m);
    bind_calming(m);
    bind_heights(m);
    bind_stepping(m);
    bind_rounding(m);
    bind_unfiltering(m);
    m.def("smooth", &smooth, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(),
          nb::arg().none(), nb::arg().none());
    m.def("smooth_planes", &smooth_planes, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(),
          nb::arg(), nb::arg());
    m.def("agreement", &agreement, nb::arg().noconvert(), nb::arg().noconvert(), nb::arg().noconvert(),
          nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("lab", &lab<std::uint8_t>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert());
    m.def("lab", &lab<std::uint16_t>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert());
    m.def("lab", &lab<float>, nb::arg().noconvert(), nb::arg().none(), nb::arg().noconvert());
    m.def("halve", &halve, nb::arg().noconvert(), nb::arg(), nb::arg(), nb::arg().noconvert());
    m.def("texture", &texture, nb::arg().noconvert(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(),
          nb::arg().noconvert());
}
