-- A module file of Lmod for an installation in PREFIX (cmake --install build):
--   export LMTRAIN_PREFIX=$HOME/lmtrain     # where it is installed; without it /opt/lmtrain
--   module use packaging/modules && module load lmtrain
local prefix = os.getenv("LMTRAIN_PREFIX") or "/opt/lmtrain"

whatis("lmtrain: distributed training of language models, with a report of energy and emissions")
help([[lmtrain CONFIG trains; mpirun -n N lmtrain CONFIG trains on N ranks; lmtrain help lists all commands.]])

conflict("lmtrain")
depends_on("openmpi")
prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("CMAKE_PREFIX_PATH", prefix)
