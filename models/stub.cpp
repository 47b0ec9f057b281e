namespace lmtrain {}
