// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Verifier of the reported-loss circuit, one instance per capacity
/// @notice Groth16 over BN254. Statement and public signals: docs/protocol.md, "Proof of reported loss".
interface IProofVerifier {
    /// @notice Whether the proof holds for the public signals D, r, E, L, in this order.
    /// @dev False, not a revert, for a proof that does not hold, including signals outside the field and points off the curve.
    function verify(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[4] calldata signals
    ) external view returns (bool);

    /// @notice Accepted updates the circuit has room for.
    function capacity() external view returns (uint256);

    /// @notice Whether the keys come from the development set-up, whose toxic waste is known: anyone can forge proofs then.
    function developmentKey() external view returns (bool);
}
