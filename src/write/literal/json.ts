// SPDX-FileCopyrightText: The nspawn.runner authors
// SPDX-License-Identifier: GPL-3.0-or-later
// JSON.

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
