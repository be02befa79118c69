// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

func addCommands(root *cobra.Command, a *app) {
	root.AddCommand(
		newInitCmd(a), newKeysCmd(a), newNodeCmd(a), newStatusCmd(a), newDoctorCmd(a),
		newConfigCmd(a), newPeersCmd(a), newQueryCmd(a),
		newSendCmd(a), newTxCmd(a), newFaucetCmd(a),
		newDatanetCmd(a), newDataCmd(a), newTrainCmd(a), newTaskCmd(a),
		newModelCmd(a), newGPUCmd(a), newGPUWorkerCmd(), newComputeCmd(a), newChannelCmd(a), newInferCmd(a), newGenerateCmd(a), newFinetuneCmd(a), newEvaluateCmd(a), newPoaCmd(a),
		newStakeCmd(a), newValidatorCmd(a),
		newPayoutsCmd(a), newClaimCmd(a), newWhyCmd(a), newVerifyCmd(a), newLightCmd(a),
		newAttributeCmd(), newPayoutCmd(), newDemoCmd(a),
		newTestnetCmd(a), newVersionCmd(a),
	)
}
