"""A backtest as one page that opens without a network; drawings and tables are our own."""

from engine.backtest.page.geography import Track as Track
from engine.backtest.page.whole import MOST_DOTS as MOST_DOTS
from engine.backtest.page.whole import chosen as chosen
from engine.backtest.page.whole import page as page
