// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

export const positiveInteger = z.int().min(1);
