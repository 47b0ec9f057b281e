// What pausing in hours of high intensity would save or lose a run (energy.schedule), played
// through against a series: the energy of idle machines, of saves and restarts, and the hardware's
// time count.
#pragma once

#include <optional>
#include <string>

#include "energy/energy_config.h"
#include "energy/grid/intensity_series.h"

namespace lmtrain {

struct PausingRun {
  double begins = 0;         // Unix time
  double work_seconds = 0;   // of the run without pauses
  double watts = 0;          // of all computers at work
  double idle_watts = 0;     // of the same while they wait
  double save_seconds = 0;   // of the save before a pause
  double start_seconds = 0;  // of the start after the allocation was given back
  double pue = 1;
  double otherwise_g_per_kwh = 0;    // where the series says nothing
  double embodied_g_per_second = 0;  // of the hardware that the run holds
};

struct PausedRun {
  double ends = 0;  // Unix time
  double paused_seconds = 0;
  int num_pauses = 0;
  double kwh = 0;    // of the computers
  double grams = 0;  // of that at the facility, CO2e
  double embodied_grams = 0;

  double all_grams() const { return grams + embodied_grams; }
};

// `pause_above` in gCO2e/kWh, infinity for none. In mode stop the hardware is not the run's while
// it waits: neither its idle energy nor its making counts.
PausedRun simulate_pauses(const IntensitySeries& series, const PausingRun& run, double pause_above,
                          double max_delay_seconds, PauseMode mode);

}  // namespace lmtrain
