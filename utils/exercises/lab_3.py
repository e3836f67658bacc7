"""The exercises of Lab 3, parameter-efficient tuning: data and training, then results and adapters."""

from utils.exercises import lab_3a, lab_3b

CHECKS = lab_3a.CHECKS | lab_3b.CHECKS
