// SPDX-License-Identifier: Apache-2.0
import { referenceKernels } from "../../../src/aggregation/reference/referenceKernels.ts";
import { describeKernels } from "../../kernels/suite.ts";

describeKernels("reference kernels", async () => referenceKernels);
