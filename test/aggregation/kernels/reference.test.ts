// SPDX-License-Identifier: Apache-2.0
import { referenceKernels } from "../../../src/aggregation/kernels/reference.ts";
import { describeKernels } from "./suite.ts";

describeKernels("reference kernels", referenceKernels);
