// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title An ERC-20 that anyone can mint, for tests and local chains
contract TestToken is ERC20("Foedus test token", "FTT") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
