// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";

/// @title Who takes part, and by which key
/// @notice An account is registered once. Its P-256 key can be replaced or revoked; which key was in
/// force at a block stays readable, so that old signatures stay checkable.
abstract contract Parties is Roles {
    enum Role {
        None,
        Hospital,
        Node,
        Doctor,
        Auditor
    }

    /// @dev In force from block `since` on, until the next one's, or until `revoked` (0: never).
    struct Key {
        uint64 since;
        uint64 revoked;
        bytes point;
    }

    /// @dev Length of an uncompressed P-256 point: 0x04, x, y.
    uint256 private constant POINT_LENGTH = 65;
    uint256 private constant MOST_KEYS = 32;
    uint256 private constant MOST_NODES = 16;

    mapping(address account => Role) private _registered;
    mapping(address account => Key[]) private _keys;
    address[] private _nodes;

    event Registered(address indexed account, Role indexed role, bytes publicKey);
    event KeyRotated(address indexed account, uint256 indexed index, bytes publicKey);
    event KeyRevoked(address indexed account, uint256 indexed index);
    event NodesSet(address[] nodes);

    error AlreadyRegistered(address account);
    error NotRegistered(address account);
    error NoRole(address account);
    error NotANode(address account);
    error NoKey(address account);
    error SameKey(address account);
    error NotAPoint(uint256 length);
    error TooMany(uint256 most, uint256 actual);
    error Twice(address account);

    /// @notice Register `account` for good and grant its roles; a node's comes with `setNodes`.
    /// @param publicKey Its P-256 key, uncompressed.
    function register(address account, Role role, bytes calldata publicKey) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (role == Role.None) revert NoRole(account);
        if (_registered[account] != Role.None) revert AlreadyRegistered(account);
        _requirePoint(publicKey);
        _registered[account] = role;
        _keys[account].push(Key(uint64(block.number), 0, publicKey));
        emit Registered(account, role, publicKey);
        if (role == Role.Hospital) {
            _grantRole(HOSPITAL, account);
            _grantRole(SUBMITTER, account);
            _grantRole(DOWNLOADER, account);
        } else if (role == Role.Doctor) {
            _grantRole(DOCTOR, account);
            _grantRole(DOWNLOADER, account);
        } else if (role == Role.Auditor) {
            _grantRole(AUDITOR, account);
        }
    }

    /// @notice Replace the set of nodes: two administrators decide.
    function setNodes(address[] calldata nodes) external {
        if (nodes.length > MOST_NODES) revert TooMany(MOST_NODES, nodes.length);
        if (keccak256(abi.encodePacked(nodes)) == keccak256(abi.encodePacked(_nodes))) revert Unchanged();
        if (!_decidedByTwo()) return;
        uint256 before = _nodes.length;
        for (uint256 i = 0; i < before; ++i) {
            _revokeRole(NODE, _nodes[i]);
        }
        for (uint256 i = 0; i < nodes.length; ++i) {
            if (_registered[nodes[i]] != Role.Node) revert NotANode(nodes[i]);
            if (!_grantRole(NODE, nodes[i])) revert Twice(nodes[i]);
        }
        _nodes = nodes;
        emit NodesSet(nodes);
    }

    /// @notice Use another key from this block on; also after the last one was revoked.
    function rotateKey(bytes calldata publicKey) external {
        Key[] storage keys = _keys[msg.sender];
        uint256 count = keys.length;
        if (count == 0) revert NotRegistered(msg.sender);
        if (count == MOST_KEYS) revert TooMany(MOST_KEYS, count + 1);
        _requirePoint(publicKey);
        if (keccak256(publicKey) == keccak256(keys[count - 1].point)) revert SameKey(msg.sender);
        keys.push(Key(uint64(block.number), 0, publicKey));
        emit KeyRotated(msg.sender, count, publicKey);
    }

    /// @notice Let the key of `account` be in force no more; itself and administrators may.
    function revokeKey(address account) external {
        if (msg.sender != account) _checkRole(DEFAULT_ADMIN_ROLE);
        Key[] storage keys = _keys[account];
        if (keys.length == 0) revert NotRegistered(account);
        Key storage last = keys[keys.length - 1];
        if (last.revoked != 0) revert NoKey(account);
        last.revoked = uint64(block.number);
        emit KeyRevoked(account, keys.length - 1);
    }

    /// @notice What `account` is registered as, and its key in force; empty without one.
    function partyOf(address account) external view returns (Role role, bytes memory publicKey) {
        Key[] storage keys = _keys[account];
        role = _registered[account];
        if (keys.length > 0 && keys[keys.length - 1].revoked == 0) publicKey = keys[keys.length - 1].point;
    }

    /// @notice All keys that `account` ever had, the oldest first.
    function keysOf(address account) external view returns (Key[] memory) {
        return _keys[account];
    }

    /// @notice The nodes, in their order.
    function nodeSet() external view returns (address[] memory) {
        return _nodes;
    }

    /// @dev A shape check only: whether the point lies on the curve is checked by whoever uses it.
    function _requirePoint(bytes calldata key) private pure {
        if (key.length != POINT_LENGTH || key[0] != 0x04) revert NotAPoint(key.length);
    }
}
