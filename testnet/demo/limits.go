// SPDX-License-Identifier: Apache-2.0

package demo

// NotProved says what the demo does not show, each line with the clause it
// limits. A test demands the clauses.
const NotProved = `not proved here:
  - shares are exact for the utility of the KNN rule, not a measure of influence on this model (KNN-02, KNN-03)
  - the draw of checkers can be foreseen until the beacon comes (CONS-36)
  - a checker that copies the committed root is not found out; bonds, secret picks and disputes come with verified compute (CHK-03)
  - one machine shows no wide-area network, no Sybil and no bribery resistance (CONS-01)
  - the operator reads what it computes on, and may refuse to serve (INF-06)
  - the CPU computed all of this, unless you offered cards by OPENLEDGER_GPU_DEVICES (GPU-10)
  - the consensus is tested by simulation, not machine-proved (CONS-60)`
