// SPDX-License-Identifier: Apache-2.0
import { plainJsKernels } from "../../bench/peers/plainJs.ts";
import { describeKernels } from "../kernels/suite.ts";

// What other backends are compared with must do the same work.
describeKernels("plain JavaScript", async () => plainJsKernels, [4_095, 4_096, 4_097, 65_537]);
