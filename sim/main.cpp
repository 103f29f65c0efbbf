// Main program of a simulation: clocks the bench, and lets Python act only when there is a reason.
//
// The bench has one input, `clk`, and one output, `done`. Python (cocotb, through VPI) acts at the
// start, and then whenever `done` has changed. In between nothing looks at the simulation, so that
// clocks follow each other without any callback. With RACEWAVE_WAKE=clock callbacks run at every
// clock, as they do under other main programs.
//
// This text follows the model's in the same compilation.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "verilated_vpi.h"

extern "C" void vlog_startup_routines_bootstrap();

static uint64_t now = 0;  // two time units per clock

double sc_time_stamp() { return now; }

// Callbacks may change values, and those may call for more.
static void run_value_callbacks() {
  while (VerilatedVpi::callValueCbs()) {
  }
}

// Evaluate until neither the design nor Python has anything left to do at this time.
static void settle(Vtop& top) {
  do {
    do {
      top.eval_step();
      VerilatedVpi::clearEvalNeeded();
      VerilatedVpi::doInertialPuts();
      run_value_callbacks();
    } while (VerilatedVpi::evalNeeded());
    VerilatedVpi::callCbs(cbReadWriteSynch);
    VerilatedVpi::doInertialPuts();
    run_value_callbacks();
  } while (VerilatedVpi::evalNeeded());
  top.eval_end_step();
  VerilatedVpi::callCbs(cbReadOnlySynch);
}

static void half_clock(Vtop& top, bool level) {
  ++now;
  top.clk = level;
  top.eval();
}

int main(int argc, char** argv) {
  const char* wake = std::getenv("RACEWAVE_WAKE");
  const bool every_clock = wake && !std::strcmp(wake, "clock");
  Verilated::commandArgs(argc, argv);
  const std::unique_ptr<Vtop> top{new Vtop{""}};
  Verilated::fatalOnVpiError(false);  // Python hears of them
  Verilated::traceEverOn(VM_TRACE);

  vlog_startup_routines_bootstrap();
  VerilatedVpi::callCbs(cbStartOfSimulation);
  run_value_callbacks();
  while (!Verilated::gotFinish()) {
    settle(*top);
    const uint64_t deadline = VerilatedVpi::cbNextDeadline();
    const bool before = top->done;
    do {
      half_clock(*top, false);
      half_clock(*top, true);
    } while (top->done == before && !every_clock && now < deadline);
    VerilatedVpi::callCbs(cbNextSimTime);
    run_value_callbacks();
    VerilatedVpi::callTimedCbs();
    run_value_callbacks();
  }
  top->final();
  VerilatedVpi::callCbs(cbEndOfSimulation);
  return 0;
}
