// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "./Registry.sol";

/// @title What other contracts ask the registry
abstract contract Permissions {
    bytes32 internal constant COORDINATOR = keccak256("COORDINATOR");
    bytes32 internal constant HOSPITAL = keccak256("HOSPITAL");
    bytes32 internal constant NODE = keccak256("NODE");
    bytes32 internal constant DOCTOR = keccak256("DOCTOR");
    bytes32 internal constant SUBMITTER = keccak256("SUBMITTER");

    /// @notice The registry that this contract obeys.
    Registry public immutable registry;

    error NotCoordinator(address sender);
    error LacksRole(address account, bytes32 role);

    modifier onlyCoordinator() {
        if (!registry.hasRole(COORDINATOR, msg.sender)) revert NotCoordinator(msg.sender);
        _;
    }

    constructor(Registry registry_) {
        registry = registry_;
    }

    /// @dev Reverts unless `account` holds `role` now.
    function _requireRole(bytes32 role, address account) internal view {
        if (!registry.hasRole(role, account)) revert LacksRole(account, role);
    }
}
