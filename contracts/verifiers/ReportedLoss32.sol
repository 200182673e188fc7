// SPDX-License-Identifier: GPL-3.0
/*
    Copyright 2021 0KIMS association.

    This file is generated with [snarkJS](https://github.com/iden3/snarkjs).

    snarkJS is a free software: you can redistribute it and/or modify it
    under the terms of the GNU General Public License as published by
    the Free Software Foundation, either version 3 of the License, or
    (at your option) any later version.

    snarkJS is distributed in the hope that it will be useful, but WITHOUT
    ANY WARRANTY; without even the implied warranty of MERCHANTABILITY
    or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public
    License for more details.

    You should have received a copy of the GNU General Public License
    along with snarkJS. If not, see <https://www.gnu.org/licenses/>.
*/

pragma solidity ^0.8.28;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/**
 * @title Groth16 verifier of the circuit ReportedLoss32, at most 32 accepted updates
 * @notice Public signals, in this order: digest, challenge, evaluation, reportedLoss.
 * What a proof states, and what it leaves to the caller, is in the head of the circuit.
 * @dev Generated, do not edit: the parts around snarkjs's template by scripts/lib/circuits/verifierContract.ts.
 * DEVELOPMENT KEY. Its secrets are published in scripts/lib/developmentKey, so anybody can prove anything to this contract. It refuses to be
 * deployed outside the development chains. Real keys come from scripts/ceremony.ts.
 */
contract ReportedLoss32 is IProofVerifier {
    /// The key behind this contract is worth nothing on a real chain.
    error ReportedLoss32DevelopmentChainsOnly(uint256 chainId);

    constructor() {
        if (block.chainid != 31337 && block.chainid != 1337) revert ReportedLoss32DevelopmentChainsOnly(block.chainid);
    }

    /// @inheritdoc IProofVerifier
    function capacity() external pure returns (uint256) {
        return 32;
    }

    /// @inheritdoc IProofVerifier
    function developmentKey() external pure returns (bool) {
        return true;
    }

    // Scalar field size
    uint256 constant r    = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    // Base field size
    uint256 constant q   = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    // Verification Key data
    uint256 constant alphax  = 15178251622449408376814092338943081834971373991314694930330477164205435977840;
    uint256 constant alphay  = 15873150776648714389566445774764471255883091932385135527317726190866335260033;
    uint256 constant betax1  = 12122264209107482642639354882454583898860819085048240290154329922061794562451;
    uint256 constant betax2  = 12452359131746540340490137891564541887382323980309015742428492705339975535695;
    uint256 constant betay1  = 6881961435676839178086962877279136897633941936908413564066990733899397270204;
    uint256 constant betay2  = 2322762860327485528695559439823395806690945951313067232038177927133669147110;
    uint256 constant gammax1 = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 constant gammax2 = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 constant gammay1 = 4082367875863433681332203403145435568316851327593401208105741076214120093531;
    uint256 constant gammay2 = 8495653923123431417604973247489272438418190587263600148770280649306958101930;
    uint256 constant deltax1 = 13601802085306163670310580088415881271112143748630864615684098035022657038612;
    uint256 constant deltax2 = 13444642655885607788099547475499344349770970826820662591357282080986801506334;
    uint256 constant deltay1 = 1582545791314201425771905844150109131760221696067922105727726934850244193574;
    uint256 constant deltay2 = 2415929693653885193100873820409347930196940566749874605546634098230196762237;

    uint256 constant IC0x = 13829613561336887609260991402725335896714781164920400460112400552454114794072;
    uint256 constant IC0y = 17506986634031366509491811002980529192218663718803909033486616155989925533674;

    uint256 constant IC1x = 21350180599950876056910235050073286833239064172286714499582938978568021762773;
    uint256 constant IC1y = 15809266259394362723342063583476916232423645144281026804090528055603363190933;

    uint256 constant IC2x = 15718916857070440859870185508281063925308101719455578654735312022923643638060;
    uint256 constant IC2y = 7355403605459052507916110419931817959112827201701754049739235271476276935248;

    uint256 constant IC3x = 19178421332029425555134127875548216370642473324406023184399199428561253935108;
    uint256 constant IC3y = 17562904548685012419052980858151732567396460814834158313065521484292227499813;

    uint256 constant IC4x = 5915222778723705000620177197045237314157955874017291124473075029718027144080;
    uint256 constant IC4y = 4069502284295144869766879257953375483337630548167615961422155284422902233593;

    // Memory data
    uint16 constant pVk = 0;
    uint16 constant pPairing = 128;

    uint16 constant pLastMem = 896;

    /// @inheritdoc IProofVerifier
    function verify(uint256[2] calldata _pA, uint256[2][2] calldata _pB, uint256[2] calldata _pC, uint256[4] calldata _pubSignals) external view returns (bool) {
        assembly {
            function checkField(v) {
                if iszero(lt(v, r)) {
                    mstore(0, 0)
                    return(0, 0x20)
                }
            }

            // G1 function to multiply a G1 value(x,y) to value in an address
            function g1_mulAccC(pR, x, y, s) {
                let success
                let mIn := mload(0x40)
                mstore(mIn, x)
                mstore(add(mIn, 32), y)
                mstore(add(mIn, 64), s)

                success := staticcall(sub(gas(), 2000), 7, mIn, 96, mIn, 64)

                if iszero(success) {
                    mstore(0, 0)
                    return(0, 0x20)
                }

                mstore(add(mIn, 64), mload(pR))
                mstore(add(mIn, 96), mload(add(pR, 32)))

                success := staticcall(sub(gas(), 2000), 6, mIn, 128, pR, 64)

                if iszero(success) {
                    mstore(0, 0)
                    return(0, 0x20)
                }
            }

            function checkPairing(pA, pB, pC, pubSignals, pMem) -> isOk {
                let _pPairing := add(pMem, pPairing)
                let _pVk := add(pMem, pVk)

                mstore(_pVk, IC0x)
                mstore(add(_pVk, 32), IC0y)

                // Compute the linear combination vk_x

                g1_mulAccC(_pVk, IC1x, IC1y, calldataload(add(pubSignals, 0)))

                g1_mulAccC(_pVk, IC2x, IC2y, calldataload(add(pubSignals, 32)))

                g1_mulAccC(_pVk, IC3x, IC3y, calldataload(add(pubSignals, 64)))

                g1_mulAccC(_pVk, IC4x, IC4y, calldataload(add(pubSignals, 96)))

                // -A
                mstore(_pPairing, calldataload(pA))
                mstore(add(_pPairing, 32), mod(sub(q, calldataload(add(pA, 32))), q))

                // B
                mstore(add(_pPairing, 64), calldataload(pB))
                mstore(add(_pPairing, 96), calldataload(add(pB, 32)))
                mstore(add(_pPairing, 128), calldataload(add(pB, 64)))
                mstore(add(_pPairing, 160), calldataload(add(pB, 96)))

                // alpha1
                mstore(add(_pPairing, 192), alphax)
                mstore(add(_pPairing, 224), alphay)

                // beta2
                mstore(add(_pPairing, 256), betax1)
                mstore(add(_pPairing, 288), betax2)
                mstore(add(_pPairing, 320), betay1)
                mstore(add(_pPairing, 352), betay2)

                // vk_x
                mstore(add(_pPairing, 384), mload(add(pMem, pVk)))
                mstore(add(_pPairing, 416), mload(add(pMem, add(pVk, 32))))

                // gamma2
                mstore(add(_pPairing, 448), gammax1)
                mstore(add(_pPairing, 480), gammax2)
                mstore(add(_pPairing, 512), gammay1)
                mstore(add(_pPairing, 544), gammay2)

                // C
                mstore(add(_pPairing, 576), calldataload(pC))
                mstore(add(_pPairing, 608), calldataload(add(pC, 32)))

                // delta2
                mstore(add(_pPairing, 640), deltax1)
                mstore(add(_pPairing, 672), deltax2)
                mstore(add(_pPairing, 704), deltay1)
                mstore(add(_pPairing, 736), deltay2)

                let success := staticcall(sub(gas(), 2000), 8, _pPairing, 768, _pPairing, 0x20)

                isOk := and(success, mload(_pPairing))
            }

            let pMem := mload(0x40)
            mstore(0x40, add(pMem, pLastMem))

            // Validate that all evaluations ∈ F

            checkField(calldataload(add(_pubSignals, 0)))

            checkField(calldataload(add(_pubSignals, 32)))

            checkField(calldataload(add(_pubSignals, 64)))

            checkField(calldataload(add(_pubSignals, 96)))

            // Validate all evaluations
            let isValid := checkPairing(_pA, _pB, _pC, _pubSignals, pMem)

            mstore(0, isValid)
             return(0, 0x20)
         }
     }
 }
