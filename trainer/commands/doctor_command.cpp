// doctor: what this machine and this binary have, or all ranks of a job.
#include <algorithm>
#include <iostream>
#include <utility>

#include <ATen/ATen.h>

#include "base/batch_job.h"
#include "base/clock.h"
#include "base/machine_memory.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/caps/power_knobs.h"
#include "energy/grid/carbon_intensity.h"
#include "energy/meters/doctor.h"
#include "models/cpu_capability.h"
#include "parallel/compute.h"
#include "parallel/cores.h"
#include "parallel/device.h"
#include "parallel/link_speed.h"
#include "parallel/typed_gather.h"
#include "trainer/commands/alike.h"
#include "trainer/commands/command.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/text_table.h"
#include "trainer/commands/version.h"

namespace lmtrain {
namespace {

constexpr size_t kLineWidth = 100;

void print_machine() {
  const std::vector<int> cores = job_cores();
  std::cout << "cores         " << cores.size() << " (" << core_list_text(cores) << ")\n"
            << "instructions  " << cpu_capability() << "\n";
  for (const auto& [name, type] :
       {std::pair{"fp32", at::kFloat}, std::pair{"bf16", at::kBFloat16}}) {
    std::cout << "matmul " << name << "   "
              << fixed(measure_matmul_ceiling(type, at::kCPU).flops / 1e9, 0) << " GFLOP/s\n";
  }
  const AvailableMemory memory = available_memory();
  std::cout << "memory        " << human_bytes(memory.bytes) << " (" << memory.limited_by << ")\n";
  for (const std::string& line : describe_accelerators())
    std::cout << "accelerator   " << line << "\n";
}

void print_sensors() {
  std::cout << "\npower sensors\n";
  for (const SensorDescription& sensor : describe_sensors(SensorRoots{}, EnergyConfig{})) {
    std::cout << "  " << sensor.name << ": " << (sensor.readable ? "readable" : "not readable")
              << (sensor.counted ? ", counted" : "")
              << (sensor.remarks.empty() ? "" : ". " + sensor.remarks) << "\n";
  }
  std::cout << "\npower caps (energy.max_slowdown)\n";
  for (const std::string& line : PowerKnobs(SensorRoots{}).describe())
    std::cout << "  " << line << "\n";
}

void print_regions() {
  std::cout
      << "\nregions (energy.region): countries by ISO 3166, states and provinces, grid regions "
         "(egrid:, cngrid:), clouds (gcp:, aws:, azure:)";
  size_t column = kLineWidth;
  for (const GridIntensity& grid : carbon_table()) {
    if (column + grid.code.size() >= kLineWidth) {
      std::cout << "\n ";
      column = 1;
    }
    std::cout << " " << grid.code;
    column += 1 + grid.code.size();
  }
  std::cout << "\n";
}

const std::vector<std::string> kRankColumns = {"rank",    "host",   "cores",
                                               "threads", "memory", "device"};

void print_ranks(const Compute& compute, Launch& launch) {
  const std::vector<std::string> mine = {
      std::to_string(launch.rank()),
      launch.host(),
      cat(compute.cores.size(), " (", core_list_text(compute.cores), ")"),
      std::to_string(compute.num_threads),
      human_bytes(available_memory().bytes),
      compute.device.description};
  std::vector<std::vector<std::string>> rows = {kRankColumns};
  rows.resize(static_cast<size_t>(launch.size()) + 1);
  for (const std::string& cell : mine) {
    const std::vector<std::string> column = gather_texts(launch.world(), cell);
    for (size_t rank = 0; rank < column.size(); ++rank) rows[rank + 1].push_back(column[rank]);
  }
  std::cout << "\n";
  for (const std::string& line : table_lines(rows)) std::cout << " " << line << "\n";
}

// Pairs of ranks to measure: two of one host, and the first ranks of hosts, each with each where
// they are few and else each with the next.
std::vector<std::pair<int, int>> pairs_to_measure(const std::vector<int64_t>& node_of_rank) {
  constexpr size_t kFew = 8;
  std::vector<int> firsts;
  std::vector<std::pair<int, int>> pairs;
  for (size_t rank = 0; rank < node_of_rank.size(); ++rank) {
    if (std::cmp_equal(node_of_rank[rank], firsts.size())) firsts.push_back(static_cast<int>(rank));
    const bool is_second = pairs.empty() && rank > 0 && node_of_rank[rank] == node_of_rank[0];
    if (is_second) pairs.emplace_back(0, static_cast<int>(rank));
  }
  for (size_t a = 0; a < firsts.size(); ++a) {
    const size_t end = firsts.size() <= kFew ? firsts.size() : std::min(firsts.size(), a + 2);
    for (size_t b = a + 1; b < end; ++b) pairs.emplace_back(firsts[a], firsts[b]);
  }
  return pairs;
}

std::string speed_text(double bytes_per_second) {
  return cat(three_digits(bytes_per_second / 1e9), " GB/s");
}

void print_links(Launch& launch) {
  const std::vector<std::string> hosts = gather_texts(launch.world(), launch.host());
  const std::vector<int64_t> nodes = gather_all(launch.world(), int64_t{launch.node()});
  std::cout << "\nlinks between ranks, one way\n";
  for (const auto& [a, b] : pairs_to_measure(nodes)) {
    const LinkSpeed speed = measure_link(launch.world(), a, b);
    const std::string& of_a = hosts[static_cast<size_t>(a)];
    const std::string& of_b = hosts[static_cast<size_t>(b)];
    std::cout << "  " << a << " and " << b << " ("
              << (of_a == of_b ? cat("within ", of_a) : cat(of_a, " and ", of_b))
              << "): " << three_digits(1e6 * speed.latency_seconds) << " us, "
              << speed_text(speed.bytes_per_second) << "\n";
  }
}

// Of gradients of so many bytes, by the ranks' processors or, where they have some, their GPUs.
void print_all_reduce(const Compute& compute, Launch& launch) {
  constexpr int64_t kBytes = 64 << 20;
  const std::unique_ptr<Communicator> gpus =
      make_device_communicator(launch, compute.device, Transport::kAuto);
  Communicator& group = gpus ? *gpus : launch.world();
  const at::Tensor gradients = at::zeros({kBytes / 4}, at::device(compute.device.device));
  const double seconds = measure_all_reduce(group, gradients);
  std::cout << "  all_reduce of " << human_bytes(kBytes) << " over " << launch.size() << " ranks ("
            << group.name() << "): " << three_digits(1e3 * seconds) << " ms, "
            << speed_text(kBytes / seconds) << "\n";
}

ExitCode examine_job(Launch& launch) {
  const SilentUnlessFirst silent(launch);
  const Compute compute = set_up_compute(ParallelConfig(), launch);
  std::cout << version_text() << "\n"
            << counted(launch.size(), "rank") << " on " << counted(launch.num_nodes(), "host")
            << ", " << Launch::library_version() << "\n";
  if (const auto job = batch_job()) {
    std::cout << to_text(*job) << " on " << job->nodes;
    if (job->end_unix_seconds) {
      const double left = *job->end_unix_seconds - clock_seconds(CLOCK_REALTIME);
      std::cout << ", ends in " << human_duration(std::max(0.0, left));
    }
    std::cout << "\n";
  }
  print_ranks(compute, launch);
  require_same_program(launch);
  if (launch.size() > 1) {
    print_links(launch);
    print_all_reduce(compute, launch);
  }
  return ExitCode::kDone;
}

ExitCode examine_machine(const CommandLine&) {
  if (Launch::was_started_by_launcher()) return run_as_rank(examine_job);
  std::cout << version_text() << "\n";
  print_machine();
  print_sensors();
  print_regions();
  return ExitCode::kDone;
}

}  // namespace

Command add_doctor(CLI::App& program) {
  return {.app = program.add_subcommand(
              "doctor",
              "Show devices, power sensors and versions; under mpirun, all ranks and their links"),
          .examples = {"lmtrain doctor", "mpirun -n 8 lmtrain doctor"},
          .run = examine_machine};
}

}  // namespace lmtrain
