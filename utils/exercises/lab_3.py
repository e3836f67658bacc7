"""The exercises of Lab 3, parameter-efficient tuning: data and training, then results and adapters."""

from utils.exercises import lab_3_results, lab_3_training

CHECKS = lab_3_training.CHECKS | lab_3_results.CHECKS
