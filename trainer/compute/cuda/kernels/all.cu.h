// Every kernel: what NVRTC compiles, and the emulation of the tests.
#pragma once

#include "trainer/compute/cuda/kernels/loss.cu.h"
#include "trainer/compute/cuda/kernels/low_rank.cu.h"
#include "trainer/compute/cuda/kernels/norm.cu.h"
#include "trainer/compute/cuda/kernels/optimizer.cu.h"
#include "trainer/compute/cuda/kernels/pointwise.cu.h"
#include "trainer/compute/cuda/kernels/restore.cu.h"
