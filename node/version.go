// SPDX-License-Identifier: Apache-2.0

package node

// Version is the release that this tree builds.
const Version = "0.1.0"
