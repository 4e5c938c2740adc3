// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface IToken {
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// A pool that calls its two tokens. What a swap reads of it fits one slot, as in Uniswap V2.
contract Pair {
    IToken immutable tokenA;
    IToken immutable tokenB;

    uint112 public reserveA;
    uint112 public reserveB;
    uint16 feePerMille;
    bool enabled;

    event Swap(address indexed trader, bool reversed, uint256 amountIn, uint256 out);

    error Disabled();
    error InsufficientLiquidity();
    error OutTooSmall();
    error K();

    constructor(IToken a, IToken b, uint16 fee) {
        (tokenA, tokenB, feePerMille) = (a, b, fee);
    }

    /// The first deposit; there is no other.
    function open(uint112 a, uint112 b) external {
        if (enabled) revert Disabled();
        (reserveA, reserveB, enabled) = (a, b, true);
        tokenA.transferFrom(msg.sender, address(this), a);
        tokenB.transferFrom(msg.sender, address(this), b);
    }

    function swap(bool reversed, uint256 amountIn, uint256 minOut) external returns (uint256 out) {
        (uint112 a, uint112 b, uint256 fee) = (reserveA, reserveB, feePerMille);
        if (!enabled) revert Disabled();
        (uint256 x, uint256 y) = reversed ? (b, a) : (a, b);

        uint256 afterFee = amountIn * (1000 - fee);
        out = afterFee * y / (x * 1000 + afterFee);
        if (out < minOut) revert OutTooSmall();
        if (out == 0 || out >= y) revert InsufficientLiquidity();
        uint256 newX = x + amountIn;
        uint256 newY = y - out;
        if ((newX * 1000 - amountIn * fee) * (newY * 1000) < x * y * 1000 ** 2) revert K();
        if (newX > type(uint112).max) revert InsufficientLiquidity();

        (reserveA, reserveB) = reversed ? (uint112(newY), uint112(newX)) : (uint112(newX), uint112(newY));
        (IToken tokenIn, IToken tokenOut) = reversed ? (tokenB, tokenA) : (tokenA, tokenB);
        tokenIn.transferFrom(msg.sender, address(this), amountIn);
        tokenOut.transfer(msg.sender, out);
        emit Swap(msg.sender, reversed, amountIn, out);
    }
}
