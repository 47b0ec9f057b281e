#include "trainer/commands/commands.h"

namespace lmtrain {

// Each is defined in NAME_command.cpp.
Command add_train(CLI::App& program);
Command add_verify(CLI::App& program);
Command add_layouts(CLI::App& program);
Command add_plan(CLI::App& program);
Command add_plan_checkpoints(CLI::App& program);
Command add_prepare(CLI::App& program);
Command add_tokenizer(CLI::App& program);
Command add_generate(CLI::App& program);
Command add_score(CLI::App& program);
Command add_fill_mask(CLI::App& program);
Command add_predict(CLI::App& program);
Command add_embed(CLI::App& program);
Command add_explain(CLI::App& program);
Command add_eval(CLI::App& program);
Command add_serve(CLI::App& program);
Command add_import(CLI::App& program);
Command add_export(CLI::App& program);
Command add_config(CLI::App& program);
Command add_inspect(CLI::App& program);
Command add_checkpoint(CLI::App& program);
Command add_runs(CLI::App& program);
Command add_report(CLI::App& program);
Command add_card(CLI::App& program);
Command add_compare(CLI::App& program);
Command add_emissions(CLI::App& program);
Command add_audit(CLI::App& program);
Command add_doctor(CLI::App& program);
Command add_restore_caps(CLI::App& program);

std::vector<CommandGroup> add_commands(CLI::App& program) {
  return {
      {"Train",
       {add_train(program), add_verify(program), add_layouts(program), add_plan(program),
        add_plan_checkpoints(program)}},
      {"Data", {add_prepare(program), add_tokenizer(program)}},
      {"Use a model",
       {add_generate(program), add_score(program), add_fill_mask(program), add_predict(program),
        add_embed(program), add_explain(program), add_eval(program), add_serve(program),
        add_import(program), add_export(program)}},
      {"Inspect",
       {add_config(program), add_inspect(program), add_checkpoint(program), add_runs(program),
        add_report(program), add_card(program), add_compare(program), add_emissions(program),
        add_audit(program), add_doctor(program), add_restore_caps(program)}},
  };
}

}  // namespace lmtrain
