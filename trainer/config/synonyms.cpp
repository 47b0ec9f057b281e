#include "trainer/config/synonyms.h"

#include <algorithm>

#include "trainer/config/load_config.h"

namespace lmtrain {

// Sources of the words: the arguments and config.json of transformers, and the settings of nanoGPT,
// Megatron-LM, torchtitan, litgpt and PyTorch Lightning.
const std::vector<Synonyms>& config_synonyms() {
  static const std::vector<Synonyms> rows = {
      // Words that mean one key within a section and others elsewhere.
      {{"type", "name", "class"},
       {"model.kind", "tokenizer.kind", "optimizer.kind", "schedule.kind"},
       ""},
      {{"steps", "every", "freq", "frequency"}, {"eval.interval", "checkpoint.interval"}, ""},

      // run
      {{"run_name", "experiment_name", "exp_name", "job_name", "project"}, {"run.name"}, ""},
      {{"output_dir", "out_dir", "save_dir", "log_dir", "logging_dir", "work_dir", "save"},
       {"run.dir"},
       ""},
      {{"random_seed", "manual_seed", "data_seed"}, {"run.seed"}, ""},
      {{"resume_from_checkpoint", "resume_from", "load", "load_checkpoint"}, {"run.resume"}, ""},

      // model
      {{"pretrained", "from_pretrained", "model_name_or_path", "pretrained_model_name_or_path",
        "base_model", "init_checkpoint", "finetune_from"},
       {"model.init_from"},
       ""},
      {{"model_type", "architecture", "architectures", "arch"}, {"model.kind"}, ""},
      {{"n_layer", "n_layers", "num_hidden_layers", "layers", "depth"}, {"model.num_layers"}, ""},
      {{"n_head", "n_heads", "nhead", "num_attention_heads", "heads"}, {"model.num_heads"}, ""},
      {{"num_key_value_heads", "n_kv_heads", "n_kv_head", "num_query_groups", "n_query_groups"},
       {"model.num_kv_heads"},
       ""},
      {{"head_dim", "d_head", "kv_channels"}, {"model.head_size"}, ""},
      {{"n_embd", "d_model", "dim", "hidden_dim", "embed_dim", "embedding_dim", "embedding_size",
        "model_dim", "width"},
       {"model.hidden_size"},
       ""},
      {{"intermediate_size", "ffn_hidden_size", "n_inner", "d_ff", "ffn_dim", "mlp_dim"},
       {"model.feed_forward_size"},
       ""},
      {{"max_position_embeddings", "n_positions", "n_ctx"}, {"model.max_positions"}, ""},
      {{"padded_vocab_size", "n_vocab"}, {"model.vocab_size"}, ""},
      {{"tie_word_embeddings", "tie_embeddings", "weight_tying", "tied_embeddings",
        "untie_embeddings_and_output_weights"},
       {"model.embeddings"},
       ""},
      {{"type_vocab_size"}, {"model.num_segments"}, ""},
      {{"id2label", "label_names", "num_labels"}, {"model.labels"}, ""},
      {{"rope_theta", "rope_base", "rotary_base"}, {"model.rope.theta"}, ""},
      {{"rope_scaling", "rope_type"}, {"model.rope.scaling"}, ""},
      {{"resid_pdrop", "embd_pdrop", "attn_pdrop", "hidden_dropout", "hidden_dropout_prob",
        "attention_dropout", "attention_probs_dropout_prob"},
       {"model.dropout"},
       ""},
      {{"layer_norm_epsilon", "layer_norm_eps", "layernorm_epsilon", "rms_norm_eps"},
       {"model.norm_eps"},
       ""},
      {{"initializer_range", "init_method_std"}, {"model.init_std"}, ""},

      // tokenizer, data
      {{"tokenizer_path", "tokenizer_name", "tokenizer_file", "tokenizer_model", "vocab_file"},
       {"tokenizer.path"},
       ""},
      {{"tokenizer_type"}, {"tokenizer.kind"}, ""},
      {{"do_lower_case", "lowercase"},
       {},
       "a trained wordpiece lowers case; lmtrain tokenizer train --cased makes one that keeps it"},
      {{"dataset", "datasets", "dataset_name", "dataset_path", "data_path", "data_dir",
        "data_files", "train_data", "train_file", "train_files", "input", "corpus"},
       {"data.sources"},
       ""},
      {{"seq_len", "seq_length", "sequence_len", "block_size"}, {"data.sequence_length"}, ""},
      {{"max_seq_len", "max_seq_length", "max_length", "context_length", "context_size"},
       {"data.sequence_length", "model.max_positions"},
       "what is trained on and what the model can hold"},
      {{"validation_split", "val_split", "val_fraction", "test_size"},
       {"data.validation_fraction"},
       ""},
      {{"cache_dir", "cache_path"}, {"data.cache"}, ""},
      {{"mlm_probability", "mlm_prob", "masked_lm_prob", "mask_prob"},
       {"data.masking.fraction"},
       ""},
      {{"max_predictions_per_seq"}, {"data.masking.max_predictions"}, ""},
      {{"whole_word_mask", "wwm"}, {"data.masking.whole_words"}, ""},
      {{"reset_attention_mask", "reset_position_ids", "document_mask"},
       {"data.isolate_documents"},
       ""},
      {{"num_workers", "dataloader_num_workers"}, {}, "data is read without workers: leave it out"},

      // train
      {{"max_steps", "max_iters", "num_steps", "n_steps", "total_steps", "train_iters",
        "max_train_steps", "num_training_steps", "iterations"},
       {"train.steps"},
       ""},
      {{"epochs", "num_epochs", "max_epochs", "num_train_epochs"},
       {"train.steps"},
       "the length of a run is given in optimizer steps"},
      {{"batch_size", "train_batch_size", "batch", "bs"},
       {"train.global_batch_size", "train.micro_batch_size"},
       "sequences of a step on all ranks, and those that one rank computes at once"},
      {{"total_batch_size", "effective_batch_size", "gbs"}, {"train.global_batch_size"}, ""},
      {{"per_device_train_batch_size", "per_device_batch_size", "device_batch_size",
        "local_batch_size", "micro_batch", "mbs"},
       {"train.micro_batch_size"},
       ""},
      {{"gradient_accumulation_steps", "gradient_accumulation", "grad_accum_steps", "grad_accum",
        "accumulate_grad_batches"},
       {"train.global_batch_size", "train.micro_batch_size"},
       "the number of micro-batches follows from both and from the number of ranks"},
      {{"dtype", "torch_dtype", "param_dtype", "mixed_precision", "bf16", "fp32", "amp"},
       {"train.precision"},
       ""},
      {{"fp16", "float16"}, {"train.precision"}, "bf16, fp32 or fp64; fp16 is not offered"},
      {{"grad_clip", "clip_grad", "max_grad_norm", "gradient_clip_val", "gradient_clipping",
        "grad_norm_clip", "max_norm"},
       {"train.clip_grad_norm"},
       ""},
      {{"profile", "profiler", "profiling", "enable_profiling"}, {"train.trace"}, ""},
      {{"training", "trainer", "training_args", "training_arguments"}, {"train"}, ""},

      // optimizer, schedule
      {{"learning_rate", "max_lr", "peak_lr", "base_lr", "max_learning_rate"},
       {"optimizer.lr"},
       ""},
      {{"optim", "optimiser", "optimizer_type", "optimizer_name"}, {"optimizer.kind"}, ""},
      {{"beta1", "beta2", "adam_beta1", "adam_beta2"},
       {"optimizer.betas"},
       "a list of both: [0.9, 0.95]"},
      {{"adam_epsilon", "adam_eps", "epsilon"}, {"optimizer.eps"}, ""},
      {{"wd", "decay", "adam_weight_decay"}, {"optimizer.weight_decay"}, ""},
      {{"lr_scheduler", "lr_scheduler_type", "lr_schedule", "scheduler", "lr_decay_style"},
       {"schedule.kind"},
       ""},
      {{"warmup", "warmup_iters", "lr_warmup_iters", "lr_warmup_steps", "num_warmup_steps"},
       {"schedule.warmup_steps"},
       ""},
      {{"warmup_fraction", "lr_warmup_fraction"}, {"schedule.warmup_ratio"}, ""},
      {{"min_lr", "lr_min", "final_lr", "end_lr", "min_learning_rate"},
       {"schedule.min_lr_ratio"},
       "as a share of optimizer.lr"},
      {{"decay_ratio", "cooldown_fraction", "cooldown"}, {"schedule.decay_fraction"}, ""},

      // eval, checkpoint
      {{"eval_interval", "eval_steps", "eval_every", "eval_freq", "val_interval",
        "val_check_interval", "validation_interval"},
       {"eval.interval"},
       ""},
      {{"eval_iters", "eval_batches", "limit_val_batches", "iters"}, {"eval.batches"}, ""},
      {{"validation", "evaluation"}, {"eval"}, ""},
      {{"save_interval", "save_steps", "save_every", "checkpoint_interval", "checkpoint_every",
        "ckpt_interval"},
       {"checkpoint.interval"},
       ""},
      {{"save_total_limit", "keep_last", "keep_latest_k", "max_checkpoints"},
       {"checkpoint.keep"},
       ""},
      {{"async_save", "async_mode", "async_checkpointing", "asynchronous_save"},
       {"checkpoint.asynchronous"},
       ""},

      // parallel
      {{"tensor_parallel", "tensor_parallel_size", "tensor_parallel_degree",
        "tensor_model_parallel_size", "tp", "tp_size"},
       {"parallel.tensor"},
       ""},
      {{"sequence_parallel", "sp"}, {"parallel.sequence"}, ""},
      {{"zero_stage", "stage", "fsdp", "deepspeed", "zero_optimization",
        "use_distributed_optimizer", "data_parallel_shard_degree"},
       {"parallel.zero"},
       ""},
      {{"gradient_checkpointing", "activation_checkpointing", "activation_checkpoint",
        "recompute_granularity", "recompute_activations"},
       {"parallel.recompute"},
       ""},
      {{"accelerator", "use_cuda", "no_cuda", "use_cpu"}, {"parallel.device"}, ""},
      {{"backend", "ddp_backend", "distributed_backend"}, {"parallel.transport"}, ""},
      {{"reduce_dtype", "grad_reduce_in_bf16"}, {"parallel.reduce_type"}, ""},
      {{"bucket_cap_mb", "ddp_bucket_cap_mb", "bucket_size"}, {"parallel.bucket_mib"}, ""},
      {{"num_threads", "omp_num_threads"}, {"parallel.threads"}, ""},
      {{"timeout", "ddp_timeout", "distributed_timeout_minutes"}, {"parallel.timeout_seconds"}, ""},
      {{"distributed", "parallelism"}, {"parallel"}, ""},
      {{"world_size", "num_gpus", "gpus", "devices", "num_nodes", "nproc_per_node", "data_parallel",
        "data_parallel_size"},
       {},
       "the number of ranks is given to mpirun: mpirun -n 8 lmtrain CONFIG"},
      {{"pipeline_parallel", "pipeline_model_parallel_size", "pipeline_parallel_degree", "pp"},
       {},
       "layers are not divided over ranks; parallel.tensor and parallel.zero divide a model"},

      // energy
      {{"country", "country_iso_code"}, {"energy.region"}, ""},
      {{"measure_power_secs", "sampling_interval"}, {"energy.interval_seconds"}, ""},
      {{"num_samples", "num_return_sequences"}, {"eval.samples"}, ""},
      {{"carbon_intensity", "emission_factor"}, {"energy.intensity_g_per_kwh"}, ""},
      {{"tdp", "cpu_tdp"}, {"energy.cpu_tdp_watts"}, ""},

      // What needs no key.
      {{"log_interval", "logging_steps", "log_every", "wandb", "report_to", "tensorboard",
        "logging"},
       {},
       "every step is a line of metrics.jsonl in the run's folder"},
      {{"compile", "torch_compile"}, {}, "models are not compiled: leave it out"},
  };
  return rows;
}

Synonyms settings_called(const std::string& word) {
  std::string name = word.substr(std::min(word.size(), word.find_first_not_of('-')));
  std::replace(name.begin(), name.end(), '-', '_');
  for (const ConfigValue& value : values_of(Config())) {
    if (value.key == name || value.key.ends_with("." + name)) return {{}, {value.key}, ""};
  }
  const Synonyms* const row = find_synonyms(config_synonyms(), word);
  return row == nullptr ? Synonyms() : *row;
}

}  // namespace lmtrain
